// Package exit owns the exit codes of the program: which there are, which of them an
// error ends with, and the next step that is printed below the error.
//
// Scripts rely on the codes, so none changes its meaning. The package does not know
// commands, flags or streams.
package exit
