// Package client owns the commands `signet client`: create, list, show, update, disable, enable,
// approve, delete, secret rotate and federation add, list and remove.
//
// A command reads flags, calls one method of provider/directory and shows the result. The rules
// of clients are in provider/directory, not here.
package client
