// Package webhook sends audit events to the address that the settings name, in the form of Standard
// Webhooks (https://www.standardwebhooks.com).
//
// An event is queued in the transaction that records it, and it is sent until the receiver accepts it: at
// least once, and with the same webhook-id each time. A receiver that does not answer delays no request,
// because a job of the node sends the events.
//
// The package does not know what the events mean.
package webhook
