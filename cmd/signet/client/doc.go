// Package client owns the commands `signet client`: create, list, show, update, disable, enable,
// approve, preview, delete, secret rotate and federation add, list and remove.
//
// A command reads flags, calls one rule of provider/directory or provider/flow and shows the result. The rules
// of clients are in those packages, not here.
package client
