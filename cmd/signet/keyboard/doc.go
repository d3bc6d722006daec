// Package keyboard tests in Chromium that no flow needs a mouse, with JavaScript and
// without.
//
// It contains only tests. The programs in ../testdata/browser drive the browser.
package keyboard
