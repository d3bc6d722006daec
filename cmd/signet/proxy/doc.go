// Package proxy tests Signet behind nginx and Caddy as Debian ships them, and behind Traefik,
// with the files of deploy/proxy and the default limits of these programs.
//
// The tests for Traefik run only if SIGNET_TRAEFIK names the program, since it takes minutes
// to build: make dist-test does both. The package contains only tests. It does not know how
// Signet keeps its answers small.
package proxy
