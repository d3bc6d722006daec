// Package spelling finds the known word that a misspelled word was probably meant to be.
// It suggests a word only if few letters differ, because a wrong suggestion is worse than
// no suggestion.
//
// The package does not know the words: callers pass the commands, flags or settings.
package spelling
