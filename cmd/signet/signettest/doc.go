// Package signettest runs Signet for tests, and plays its people, clients and operators.
//
// It owns the installations (Instance, which runs in the process of the test, and Cluster,
// which is several processes on one database), a simple browser without scripts
// (FormBrowser), a real browser (RunInBrowser), and a relying party (GoParty). It checks
// only that each step works; the tests check the results. It uses only the pages, endpoints
// and commands that people, clients and operators use.
package signettest
