// Package outbound is the one client for foreign hosts.
package outbound
