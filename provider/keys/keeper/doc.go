// Package keeper decides over the life of the keys: it starts lines, makes the next key
// of each, lets it sign, retires, ends and revokes keys, and moves all of them to another
// master key.
//
// A key is next (published, not signing), active, retired (published while a token
// of it may live), then gone: its private half is destroyed and the public one serves
// id_token_hint alone. A revoked key is refused everywhere.
//
// The rule: what the schedule asks for is decided by one pure function, plan, from the
// rows and the time; and whatever may happen only once is decided by one conditional
// write of storage, so that any number of nodes and commands may try.
//
// A Keeper reads the keys anew for each thing it does. A Rotator lets the ring of a
// running server go through the schedule.
//
// The package does not know tokens, clients, users or HTTP. It gives facts; the
// sentences that people read about them are in templates.
package keeper
