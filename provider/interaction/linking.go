package interaction

import "signet/storage"

// arrivalFacts is all that decides what becomes of someone who comes back from an
// upstream and is not yet signed in.
type arrivalFacts struct {
	Known    bool // the identity is linked to a user
	Disabled bool // that user, or else the one with the address, is switched off
	Vouched  bool // an upstream that is trusted with it says that the address is the person's own
	AutoLink bool // the operator lets this connector link by address
	SignUp   bool // and make accounts

	// The fields below are looked up only for an address that is vouched for.
	Local  bool // a user has this address
	Proven bool // and has proven it
	Admin  bool // and is an administrator
}

// factsOf puts the facts together.
func factsOf(t trip, owner storage.Owner) arrivalFacts {
	local := owner.User.ID != "" && !owner.Linked
	return arrivalFacts{
		Known: owner.Linked, Disabled: owner.User.ID != "" && !owner.User.Enabled(),
		Vouched: t.identity.HasTrustedEmail(), AutoLink: t.connector.AutoLink, SignUp: t.connector.SignUp,
		Local: local, Proven: local && owner.User.EmailVerified, Admin: local && owner.User.Admin,
	}
}

// outcome is what becomes of an arrival.
type outcome string

const (
	signIn       outcome = "sign_in"                // as the linked user
	makeUser     outcome = "make_user"              // with the address, and the identity linked
	makeBare     outcome = "make_user_without_mail" // the same, but the account has no address
	linkUser     outcome = "link_user"              // sign in as the address's user, and link
	evictAndOwn  outcome = "evict_and_own"          // the same, after all unproven ways in are removed
	proveFirst   outcome = "prove_first"            // sign in to the account of this address once, then link
	connectFirst outcome = "identity_not_connected" // refused
	closed       outcome = "signup_closed"          // refused
	switchedOff  outcome = "account_switched_off"   // refused
)

// decideArrival is the whole table of linking. An identity is (connector,
// issuer, subject); an address finds an account but never opens it: that takes the
// account's own proof, or an upstream that runs or has checked the mailbox and an
// operator who trusts it with that. If nobody has proven an account's address, the
// first person for whom it is vouched takes the account over, and what was set up
// before is removed. Operators make administrators, so an administrator's account is
// opened by its own proof alone.
//
// An address that nobody vouches for decides nothing: it finds, makes and blocks no
// account, and the answer is the same whether an account has it.
func decideArrival(a arrivalFacts) outcome {
	switch {
	case a.Known && a.Disabled:
		return switchedOff
	case a.Known:
		return signIn
	case !a.Vouched && a.SignUp:
		return makeBare
	case !a.Vouched:
		return connectFirst
	case a.Local && a.Admin:
		return proveFirst
	case a.Local && a.Disabled && (a.AutoLink || !a.Proven):
		return switchedOff
	case a.Local && a.Proven && a.AutoLink:
		return linkUser
	case a.Local && !a.Proven:
		return evictAndOwn
	case a.Local:
		return proveFirst
	case !a.SignUp:
		return closed
	}
	return makeUser
}
