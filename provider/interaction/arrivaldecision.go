package interaction

import "signet/storage"

// arrivalFacts are all facts that decide about an identity that comes back from an upstream
// to sign in.
type arrivalFacts struct {
	Known    bool // the identity is linked to a user
	Disabled bool // that user, or else the user with the address, is switched off
	Vouched  bool // a trusted upstream says that the address belongs to the person
	AutoLink bool // the operator lets this connector link by address
	SignUp   bool // the operator lets this connector make accounts

	// The fields below are looked up only for an address that is vouched for.
	Local  bool // a user has this address
	Proven bool // that user has proven the address
	Admin  bool // that user has a role of administration
}

// factsOf returns the facts of a trip and the user it leads to.
func factsOf(t trip, owner storage.Owner) arrivalFacts {
	local := owner.User.ID != "" && !owner.Linked
	return arrivalFacts{
		Known: owner.Linked, Disabled: owner.User.ID != "" && !owner.User.Enabled(),
		Vouched: t.identity.HasTrustedEmail(), AutoLink: t.connector.AutoLink, SignUp: t.connector.SignUp,
		Local: local, Proven: local && owner.User.EmailVerified, Admin: local && owner.User.AdminRole().IsAny(),
	}
}

// outcome is the decision about an arrival.
type outcome string

const (
	signIn               outcome = "sign_in"                // sign in as the linked user
	makeUser             outcome = "make_user"              // make an account with the address, and link the identity
	makeUserWithoutEmail outcome = "make_user_without_mail" // the same, but without the address
	linkUser             outcome = "link_user"              // sign in as the user with the address, and link
	evictAndOwn          outcome = "evict_and_own"          // the same, after all unproven ways to sign in are removed
	proveFirst           outcome = "prove_first"            // ask for a proof of the account with the address, then link
	connectFirst         outcome = "identity_not_connected" // refused
	signUpClosed         outcome = "signup_closed"          // refused
	switchedOff          outcome = "account_switched_off"   // refused
)

// decideArrival is the complete table of linking. An identity is (connector, issuer,
// subject).
//
// An email address finds an account but does not open it. To open it, the person must prove
// the account itself; or the upstream must run or have verified the mailbox, and the
// operator must trust the upstream to link by address. If nobody has proven the address of
// an account, the first person that comes through an upstream that vouches for it takes over
// the account; its password, sessions and identities are removed. Administrators are made
// by operators, so only a proof of the account itself opens an administrator's account.
//
// An address that the upstream does not vouch for decides nothing: it finds, makes and
// blocks no account. The answer is the same whether an account has this address or not.
func decideArrival(a arrivalFacts) outcome {
	switch {
	case a.Known && a.Disabled:
		return switchedOff
	case a.Known:
		return signIn
	case !a.Vouched && a.SignUp:
		return makeUserWithoutEmail
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
		return signUpClosed
	}
	return makeUser
}
