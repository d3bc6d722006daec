// Package account shows people what they have.
package account
