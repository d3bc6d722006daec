// Package browser tests in Chromium what people do at Signet: the account, and sign-ins
// through upstreams.
//
// It owns tests alone. What a browser does stands in the programs of ../testdata/browser;
// what every page owes to its readers is tested in pages.
package browser
