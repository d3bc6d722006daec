// Package keyboard tests in Chromium that no flow needs a mouse, with JavaScript and
// without.
//
// It owns tests alone. What a browser does stands in the programs of ../testdata/browser.
package keyboard
