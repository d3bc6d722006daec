// Package visit knows who is signed in at a browser and how fresh that is.
//
// Visits answers for every page: who the visitor is; whether a proof of the person is
// new enough for an act that an unlocked screen must not allow, and if not, which page
// asks for one and where the person goes on; how a user can give such a proof; which
// form a ticket was made for; and by which path the browser leaves and comes back. A
// sign-in by password is made here, for the pages and for the first-party app alike.
//
// A ticket is the sealed proof that a form was made for this session, this request and
// what was shown: it keeps one user's consent from being given by another, and is the
// CSRF token for engines that send neither Origin nor Sec-Fetch-Site.
//
// The one rule of freshness is storage's Session.Meets.
//
// The package does not know the content of any page, codes or tokens.
package visit
