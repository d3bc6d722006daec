// Package proxy tests Signet behind nginx as Debian ships it: with the block of docs/operation.md,
// and with nginx's default limits.
//
// It contains only tests. It does not know how Signet keeps its answers small.
package proxy
