// Package provider assembles the OpenID provider from its rooms. It owns the settings
// (Config), the list of routes, and what outlives a reload of the settings.
//
// Its rule: the package decides nothing. Each room is made here from what it needs, and
// gives its rows of the list. What a reload makes anew is a generation; all else is
// shared between generations.
//
// A request goes through front to its room: oauth for the protocol, firstparty for the
// app that lives on cookies, interaction, account and admin for people. These ask flow
// for decisions, visit for the person at the browser, and storage for the one
// transaction. docs/routes.md lists every path.
package provider
