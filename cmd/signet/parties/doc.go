// Package parties tests relying parties that others wrote, with the settings that they
// have by default, from the sign-in to the sign-out.
//
// It owns tests alone, and the list of the parties, which docs/clients.md repeats. It knows the
// programs of ../testdata, and nothing of how Signet does its part.
package parties
