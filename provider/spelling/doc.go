// Package spelling finds the word that a misspelt one was probably meant to be, among
// those that are known. A suggestion is made only where few letters differ: a wrong
// suggestion is worse than none.
//
// The package does not know the words: commands, flags and settings bring their own.
package spelling
