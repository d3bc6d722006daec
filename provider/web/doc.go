// Package web has the parts that all pages and endpoints share: the one table of
// answers (answers.go) and its renderers, handlers that return their error, the
// security headers, the cross-origin check, strict parsers for forms and JSON, and
// the trace of a request with its log line.
//
// A handler returns an error or answers the request, never both. The code that answers
// the request logs the cause, once.
//
// The package does not know sessions, clients, requests or tokens. The table of answers
// finds an error by the stable code that Because has added to it.
package web
