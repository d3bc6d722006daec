// Package web is what every page needs: handlers that return their error, the
// one adapter that turns errors into pages, the security headers, the
// cross-origin check, the strict reading of forms, and the request's trace with
// its log line.
//
// A handler returns or answers, never both; who answers the request logs it,
// once. The package does not know sessions, clients, requests or tokens.
package web
