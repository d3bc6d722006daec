// Package traefik builds Traefik and runs the tests of cmd/signet/proxy with it, since Debian
// has no package of Traefik.
//
// It is a module of its own: Traefik has hundreds of requirements, and some replacements, that
// the server and the other checks must not share. The package contains only a test.
package traefik
