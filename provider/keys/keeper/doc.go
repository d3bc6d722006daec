// Package keeper manages the lifecycle of the keys. It makes the first and the next keys of
// a line, activates, retires, ends and revokes keys, and seals all keys under another master
// key.
//
// A key is first next (published, not signing), then active, then retired (published while a
// token that it signed may be valid), then gone: the private half is destroyed, and the
// public half only verifies id_token_hint. A revoked key is refused everywhere.
//
// The rule: one pure function, plan, decides from the rows and the time which actions are
// due. If an action may happen only once, one conditional write in storage decides, so that
// any number of nodes and commands may try.
//
// A Keeper reads the keys again for each operation. A Rotator runs the schedule in a server
// and reloads its ring.
//
// The package does not know tokens, clients, users or HTTP. It returns facts; the sentences
// about them are in templates.
package keeper
