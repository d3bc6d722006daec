// Package pages tests in Chromium that every page is accessible and light.
//
// It contains only tests. The programs in ../testdata/browser drive the browser.
package pages
