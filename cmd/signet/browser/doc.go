// Package browser tests the account pages and sign-ins through upstreams in Chromium.
//
// It contains only tests. The programs in ../testdata/browser drive the browser; package
// pages tests that every page is accessible and light.
package browser
