// Package exit owns the exit codes of the program. One table lists the causes of failures.
// Each has a stable name, the number that the process ends with, and the next step, which is
// printed below the error. docs/exit-codes.md is generated from the table.
//
// Number 2 is for a malformed command line: an unknown flag, a value that does not parse, a
// missing argument. If the command line is well-formed but a rule refuses it, the number is 6.
//
// Scripts rely on the names and numbers, so their meaning never changes. The package does not
// know commands, flags or streams.
package exit
