// Package account serves the pages where people see and change their account: the
// profile, the password, the sessions, and the applications with access.
//
// Every page needs a session. Without one, the browser goes to the sign-in page and then
// comes back. GET only shows a page. POST changes something, needs a ticket, and leads to
// a page that confirms the change.
//
// Some acts must not be possible at an unattended browser: to change the password, sign
// out everywhere, withdraw an application's access, or connect and disconnect accounts.
// They need a sign-in in the last five minutes. Each of these acts has a confirmation
// page, and people continue there after they have signed in again.
//
// To add a page: add a row in Routes; in package templates, add its type, its template, a
// sample (go test ./templates -update writes the golden file) and an entry in accountPages
// (for the navigation and the overview). Then go test ./provider -run TestRoutes_ -update
// writes docs/routes.md.
//
// The package does not know codes, tokens or how an authorization request is answered.
package account
