// Package front owns what stands between the network and the rooms: the middlewares, the
// router that is made of the list of routes, the answers where no route is, and health.
//
// Its rule: a request that is too much, broken, or written in a way that two readers
// could read differently never reaches a room.
//
// The package does not know what any room does: it is handed the list.
package front
