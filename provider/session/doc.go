// Package session binds a browser to a signed-in subject.
package session
