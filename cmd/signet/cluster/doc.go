// Package cluster tests several processes on one database. The processes race, and tests kill
// them at any moment. A code or token that one process has redeemed is spent for all.
//
// It contains only tests. They use the endpoints and the commands, like clients and operators.
package cluster
