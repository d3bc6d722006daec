// Package proxy tests Signet behind nginx as Debian ships it: with the block of README.md,
// and with nginx's own limits, which nobody has raised.
//
// It owns tests alone. It knows what people and browsers do, and nothing of how Signet
// keeps its answers small.
package proxy
