// Package exit owns the exit codes of the program: one table of the causes that a command
// can fail with, each with its stable name, the number that the process ends with, and the
// next step that is printed below the error. docs/exit-codes.md is made of the table.
//
// Number 2 is for a command line that is malformed in itself: an unknown flag, a value that
// does not parse, a missing argument. As soon as a rule had to be asked, the number is 6.
//
// Scripts rely on names and numbers, so none changes its meaning. The package does not know
// commands, flags or streams.
package exit
