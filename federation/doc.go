// Package federation signs people in through upstream providers.
package federation
