// Command release builds everything that a version of Signet is published as: programs,
// packages, images, and the lists that describe and sign them. `make dist` runs it.
//
//	go run . -out DIR              all artefacts
//	go run . -out DIR -only deb    some of them
//	go run . previous -out FILE    the program of the version before this one
//
// The same commit gives the same bytes, on every machine with the same versions of Go and
// of the packages of Debian. So an artefact contains no time but that of the commit, no
// path of the machine, and no order that is not sorted. The tests build everything twice,
// in different surroundings, and compare.
//
// Each artefact is one method of release, in a file of its own, and one row in artefacts.
// It reads r.source, which holds the files of the commit and nothing else, and writes
// through r.create.
//
// The module is separate from that of the server, so that libraries for packages and
// images are not among the requirements of the server. It does not import the server.
package main
