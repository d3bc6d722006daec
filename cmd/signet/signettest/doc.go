// Package signettest runs Signet for tests, as an installation of its own, and plays
// those who come to it.
//
// It owns the installation (Instance, which runs in the process of the test, and Cluster,
// which is processes of the operating system's on one database), the plainest browser
// there is (FormBrowser), the real one (RunInBrowser), and a relying party (GoParty). It
// judges nothing beyond that each step works: the tests do. It comes to Signet by the
// doors that people, clients and operators use.
package signettest
