// Package cluster tests several processes on one database: they race, they are killed at
// any moment, and what one has spent is spent for all.
//
// It owns tests alone. It knows no row of the database: it asks as clients ask.
package cluster
