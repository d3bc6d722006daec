// Package user owns the commands of users: they are created, listed, shown, changed, switched off and deleted, and their
// passwords and identities are set and removed.
//
// A command reads flags, calls one rule and shows the result. It decides no rule
// of users: those are in provider/directory.
package user
