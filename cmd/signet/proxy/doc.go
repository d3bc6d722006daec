// Package proxy tests Signet behind nginx as Debian ships it: with the block of docs/operation.md,
// and with nginx's default limits.
//
// It owns tests alone. It knows what people and browsers do, and nothing of how Signet
// keeps its answers small.
package proxy
