// Package keys owns the commands `signet keys`: list, rotate, revoke, retire, rewrap and
// export-public.
//
// A command reads flags, calls one method of provider/keys/keeper and shows the result. The
// rules of the life of keys are there, not here.
package keys
