// Package pages tests in Chromium that every page is accessible and light.
//
// It owns tests alone. What a browser does stands in the programs of ../testdata/browser.
package pages
