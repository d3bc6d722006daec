// Package front serves the list of routes to the network. It owns the middlewares, the
// router, the answers for paths and methods without a route, and the health checks.
//
// Its rule: requests above the limits, malformed requests, and requests that two programs
// could read differently never reach the handler of a route.
//
// The package does not know the work of any route: it gets the list.
package front
