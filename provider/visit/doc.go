// Package visit finds the user that is signed in at a browser, and how recently the user
// proved their identity.
//
// For every page, Visits gives the session of the visitor. It decides whether the last
// proof is recent enough for a sensitive act, lists the ways to give a new proof, and sends
// the browser to the page that asks for it and back again. It seals and checks tickets and
// return paths. It also signs in with a password, for the pages and for the first-party app.
//
// A ticket is the sealed proof that a form was made for this session, this request and this
// content. So nobody can submit a form that was shown to another user. The ticket is also
// the CSRF token for browsers that send neither Origin nor Sec-Fetch-Site.
//
// Session.Meets of storage is the only rule of freshness.
//
// The package does not know the content of any page, codes or tokens.
package visit
