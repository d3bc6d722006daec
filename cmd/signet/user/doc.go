// Package user owns the commands `signet user`: create, list, show, update, set-password, disable,
// enable, sign-out, admin, delete and identity remove.
//
// A command reads flags, calls one method of provider/directory or storage and shows the result.
// The rules of users are in provider/directory, not here.
package user
