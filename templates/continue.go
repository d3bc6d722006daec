package templates

// Continue is the answer to a form: 200 with Refresh and a link that works
// without waiting, since Chromium applies form-action to redirects.
type Continue struct {
	Common
	URL string // a path of ours; Write refuses anything else

	Passkeys *KnownPasskeys // after a sign-in: what the browser learns; nil: nothing
	Create   *PasskeyCreate // asks the browser to make a passkey, of the user of Passkeys; nil: it does not
}

func (Continue) page() string { return "continue.html" }

// frame depends on whether the page has the script of passkeys. Common is the same for all pages of a site.
func (c Continue) frame() any {
	return struct {
		common   Common
		passkeys bool
	}{c.Common, c.Passkeys != nil}
}

// PasskeyCreate asks the browser to make a passkey without asking the person (WebAuthn, section 5.1.3,
// conditional mediation). The page goes on in any case.
type PasskeyCreate struct {
	Challenge  string // base64url without padding
	Sealed     string
	Algorithms string // COSE numbers, with commas
}

// KnownPasskeys tells the browser what this server knows about the passkeys of a user, so that it
// offers no dead ones and shows the present name (WebAuthn, section 5.1.10).
type KnownPasskeys struct {
	RPID        string
	UserHandle  string // base64url without padding
	AccountName string
	AcceptedIDs string // handles of all passkeys, with commas; "": the page does not know them
}
