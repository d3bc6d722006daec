// Package interaction shows the pages of a sign-in.
package interaction
