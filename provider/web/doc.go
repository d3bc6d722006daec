// Package web is what every page needs: handlers that return errors, the error page, headers, the cross-origin check, the request log, form answers.
package web
