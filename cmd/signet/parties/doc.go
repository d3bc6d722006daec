// Package parties tests relying parties of other projects with their default settings,
// from sign-in to sign-out.
//
// It contains only tests and the list of these relying parties, which docs/clients.md repeats.
// It uses the programs in ../testdata. It does not know how Signet works inside.
package parties
