// Package client owns the commands of clients: they are registered, listed, shown, changed, switched off and deleted, and
// get new secrets.
//
// A command reads flags, calls one rule and shows the result. It decides no rule
// of clients: those are in provider/directory.
package client
