// Package browser tests the pages in Chromium: that they are accessible and need no
// mouse, the account, and sign-ins through upstreams.
//
// It owns tests alone. What a browser does stands in the programs of ../testdata/browser.
package browser
