// Package directory owns the rules of clients and users: what may be registered, what
// may be changed, how a secret is made, stored and compared, and what the members of a
// client mean.
//
// Every caller that creates or changes a client or a user on behalf of an administrator
// passes through a Directory, whether it is a command, a page or an API: storage would
// store what breaks a rule. Rules that must hold together with the row stay in storage,
// inside its transactions: that an id, an e-mail address or a user name is free, that an
// administrator remains, and what becomes of things attached to a claimed address.
//
// People change their profiles through a Directory, too. The rest of what they do with
// their own accounts is in packages account and interaction.
//
// The package does not know HTTP, SQL, flags or the words in which a caller tells of a
// refusal.
package directory
