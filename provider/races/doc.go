// Package races contains only tests. They use the same code, token, session, key or account
// in several requests at the same moment, on one node and on two, on both databases.
//
// Each test checks that a single-use thing is used once, and that every other request gets
// an error that its sender can handle. Races only appear after many repetitions, so
// `make soak` runs each test 200 times.
//
// The package does not know how storage decides a race. It sees answers and events.
package races
