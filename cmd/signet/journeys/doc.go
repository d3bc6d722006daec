// Package journeys tests in Chromium how people get an account and get back in: by the pages and
// the mails of a server with a real mail server and a real application.
//
// Each journey is walked on a phone and in a wide window, with JavaScript and without. It contains
// only tests. The programs in ../testdata/browser drive the browser.
package journeys
