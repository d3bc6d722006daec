// Package request owns the sealed authorization request.
package request
