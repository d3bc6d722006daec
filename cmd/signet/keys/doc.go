// Package keys owns the commands of signing keys: they are listed, rotated, revoked, retired and
// exported, and the master key is changed.
//
// A command reads flags, calls one rule and shows the result. It decides no rule
// of the life of keys: those are in provider/keys/keeper.
package keys
