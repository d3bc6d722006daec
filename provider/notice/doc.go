// Package notice delivers what is in the outbox.
package notice
