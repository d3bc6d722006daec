// Package web is what every page and answer needs: the one table of answers
// (answers.go) and its renderers, handlers that return their error, the security
// headers, the cross-origin check, the strict reading of forms and JSON, and the
// request's trace with its log line.
//
// A handler returns or answers, never both; the code that answers the request logs
// its cause, once. The package does not know sessions, clients, requests or tokens: the
// table knows their causes by the stable codes that Because gives errors.
package web
