// Package ways tests in Chromium how people sign in if something is missing: a password, an
// upstream that proves their identity, or cookies.
package ways
