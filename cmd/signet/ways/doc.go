// Package ways tests in Chromium how people get in whose account or browser lacks something:
// a password, an upstream that proves who they are, cookies.
package ways
