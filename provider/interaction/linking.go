package interaction

import "signet/federation"

// arrival is all that decides what becomes of someone who comes back from an
// upstream and is not yet signed in.
type arrival struct {
	Known    bool             // the identity is linked to a user
	Disabled bool             // that user, or else the one with the address, is switched off
	Address  bool             // the upstream gave an address
	Verified bool             // and says that it is verified
	Trust    federation.Trust // what its word is worth for this address
	Local    bool             // a user has this address
	Proven   bool             // and has proven it
	Admin    bool             // and is an administrator
	AutoLink bool             // the operator lets this connector link by address
	SignUp   bool             // and make accounts
}

// fate is what becomes of an arrival.
type fate string

const (
	signIn      fate = "sign_in"              // as the linked user
	makeUser    fate = "make_user"            // with the address, and the identity linked
	linkUser    fate = "link_user"            // sign in as the address's user, and link
	evictAndOwn fate = "evict_and_own"        // the same, after all unproven ways in are removed
	proveFirst  fate = "prove_first"          // sign in to the account of this address once, then link
	noAddress   fate = "no_email"             // refused
	closed      fate = "signup_closed"        // refused
	switchedOff fate = "account_switched_off" // refused
)

// decideArrival is the whole table of linking. An identity is (connector,
// issuer, subject); an address finds an account but never opens it: that takes the
// account's own proof, or an upstream that runs or has checked the mailbox and an
// operator who trusts it with that. An account whose address nobody ever proved
// belongs to nobody yet: the address's owner takes it over, and whoever set it up
// beforehand keeps nothing of it. Administrators are made by operators, so theirs
// is never taken over.
func decideArrival(a arrival) fate {
	vouched := a.Verified && a.Trust >= federation.Verifies
	switch {
	case a.Known && a.Disabled:
		return switchedOff
	case a.Known:
		return signIn
	case !a.Address:
		return noAddress
	case !a.Verified:
		// Whether there is such an account is not for someone to learn who has not
		// even got the address: both read the same.
		return proveFirst
	case a.Local && vouched && a.Disabled && (a.AutoLink || !a.Proven):
		return switchedOff
	case a.Local && vouched && a.Proven && a.AutoLink:
		return linkUser
	case a.Local && vouched && !a.Proven && !a.Admin:
		return evictAndOwn
	case a.Local:
		return proveFirst
	case !a.SignUp:
		return closed
	}
	return makeUser
}
