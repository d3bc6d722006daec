// Package checks tests the files of deploy with the libraries of the programs that read them:
// Helm, Docker Compose, and the types of Kubernetes. These libraries are large, so they are requirements of this
// module and not of the server's. make dist-test runs the tests.
//
// The package contains only tests. It does not know how a release is built.
package checks
