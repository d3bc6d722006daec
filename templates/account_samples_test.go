package templates_test

import (
	"signet/templates"
	"signet/templates/words"
)

// accountSamples are the account pages in all their states.
func accountSamples() map[string]templates.Page {
	frame := func(here string, done words.Sentence) templates.Account {
		return templates.Account{Common: plain, User: alice, Here: here, Done: done}
	}
	noon := templates.Moment{ISO: "2026-03-01T12:00:00Z", Text: "1 March 2026, 12:00 GMT", Ago: words.Say("moment.days-ago", "Count", 3)}
	now := templates.Moment{ISO: "2026-03-04T12:00:00Z", Text: "4 March 2026, 12:00 GMT", Ago: words.Say("moment.just-now")}
	app := templates.Client{Name: "Photos", Host: "photos.example.com"}
	notes := templates.Client{Name: "Notes", Host: "com.example.notes"}
	photosRow := templates.AppRow{
		ClientID: "photos", App: app, Since: noon, LastUsed: now, Offline: true, StartURL: "https://photos.example.com/begin?iss=https%3A%2F%2Fauth.example.com",
		Wants: []templates.Want{templates.WantOf("openid"), templates.WantOf("email"), templates.WantOf("offline_access"), templates.WantOf("photos:write")},
	}
	password := templates.AccountPassword{Account: frame("password", words.Sentence{}), Ticket: "sealed.ticket", MinLength: 10}
	wrongCurrent, weak, throttled := password, password, password
	wrongCurrent.Error = &templates.FormError{Code: "invalid_credentials", Text: words.Say("account-password.wrong-current"), Field: "current-password"}
	weak.Error = &templates.FormError{Code: "weak_password", Text: words.Say("weak-password.too-short", "Count", 10), Field: "new-password"}
	throttled.Error = &templates.FormError{Code: "too_many_attempts", Text: words.Say("password-refused.too-many-attempts"), RetryAfter: 3 * 60}
	totp := templates.AccountTOTP{
		Cancel:  "/auth/account/security",
		Account: frame("security", words.Sentence{}), Ticket: "sealed.ticket", Sealed: "sealed.app", Secret: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP",
		URL:     "otpauth://totp/auth.example.com:alice%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=auth.example.com",
		Picture: templates.QRCode{Size: 29, Path: "M4 4.5h7m1 0h2m2 0h7"},
	}
	wrongTOTP := totp
	wrongTOTP.Error = &templates.FormError{Code: "invalid_code", Text: words.Say("factor-refused.wrong"), Field: "code"}
	codeSamples := []string{"0123a-bcdef", "ghjkm-npqrs", "tvwxy-z0123"}
	profile := templates.AccountProfile{
		Account: frame("profile", words.Sentence{}), Ticket: "sealed.ticket", Name: "Alice Liddell", GivenName: "Alice", FamilyName: "Liddell",
		PreferredUsername: "alice", Picture: "https://example.com/alice.png", Zoneinfo: "Europe/London", Locale: "en-GB",
	}
	wrongProfile := profile
	wrongProfile.Website, wrongProfile.Zoneinfo = "example.com", "London"
	wrongProfile.Errors = []templates.FormError{
		{Code: "invalid_profile", Field: "website", Text: words.Say("profile-error.address")},
		{Code: "invalid_profile", Field: "zoneinfo", Text: words.Say("profile-error.time-zone")},
	}
	addPasskey := templates.AccountAddPasskey{
		Cancel:  "/auth/account/passkeys",
		Account: frame("passkeys", words.Sentence{}), Ticket: "sealed.ticket", RPID: "id.example.com", Challenge: "Y2hhbGxlbmdl", Sealed: "sealed.challenge",
		UserHandle: "dXNyXzE", AccountName: "alice@example.com", Algorithms: "-7,-8,-257", Exclude: "AAEC",
	}
	addPasskeyWrong := addPasskey
	addPasskeyWrong.Error = &templates.FormError{Code: "passkey_refused", Text: words.Say("passkey.add-refused")}
	addKey := addPasskey
	addKey.Account, addKey.SecurityKey, addKey.Error = frame("security", words.Sentence{}), true, &templates.FormError{Code: "key_refused", Text: words.Say("account-add-key.refused")}
	addKeyNot := templates.AccountAddPasskey{Account: frame("security", words.Sentence{}), SecurityKey: true, Unable: words.Say("account-security.keys-not-offered")}
	addPasskeyNot := templates.AccountAddPasskey{Account: frame("passkeys", words.Sentence{}), Unable: words.Say("account-passkeys.not-offered"), Cancel: "/auth/account/passkeys"}
	return map[string]templates.Page{
		"account":            templates.AccountOverview{Account: frame("overview", words.Sentence{}), Sessions: 2, Apps: 1, SecondFactor: true},
		"account-admin":      templates.AccountOverview{Account: templates.Account{Common: plain, User: alice, Here: "overview", Admin: true}, Sessions: 1},
		"account-emergency":  templates.AccountOverview{Account: templates.Account{Common: plain, User: alice, Here: "overview", Admin: true}, Sessions: 1, Emergency: emergencySample},
		"account-alone":      templates.AccountOverview{Account: templates.Account{User: templates.Person{Email: "bob@example.com"}, Here: "overview"}, Sessions: 1, NoPassword: true},
		"account-unverified": templates.AccountOverview{Account: frame("overview", words.Sentence{}), Sessions: 1, Email: templates.EmailState{Provable: true, Ticket: "sealed.ticket"}},
		"account-email":      templates.AccountEmail{Account: frame("email", words.Sentence{}), SendsMails: true, Password: noon, Email: templates.EmailState{Verified: true}},
		"account-email-unverified": templates.AccountEmail{Account: frame("email", words.Say("account-done.mail")), SendsMails: true, Password: noon, Email: templates.EmailState{Provable: true, Ticket: "sealed.ticket"},
			Error:   &templates.FormError{Code: "too_many_attempts", Text: words.Say("reset.too-many"), RetryAfter: 900},
			Factors: []templates.FactorRow{{Label: templates.FactorLabel("webauthn"), Name: "Phone", Since: noon}, {Label: templates.FactorLabel("totp"), Since: now}},
			Identities: []templates.IdentityRow{
				{Key: "0a1b", Ticket: "sealed.ticket.1", Connector: templates.ConnectorButton{ID: "google", Kind: "google", Name: "Google"}, Email: "alice@gmail.com", Since: noon},
				{Key: "2c3d", Ticket: "sealed.ticket.2", Since: now},
			}},
		"account-email-change":       templates.ChangeEmail{Account: frame("email", words.Sentence{}), Ticket: "sealed.ticket"},
		"account-email-change-final": templates.ChangeEmail{Account: frame("email", words.Sentence{}), Ticket: "sealed.ticket", MayBeFinal: true, Final: true},
		"account-email-change-none":  templates.ChangeEmail{Account: frame("email", words.Sentence{}), NoMails: true},
		"account-email-change-wrong": templates.ChangeEmail{Account: frame("email", words.Sentence{}), Ticket: "sealed.ticket", Email: "alice",
			Error: &templates.FormError{Code: "invalid_email", Field: "email", Text: words.Say("set-up-problem.email", "Example", "ada@example.com")}},
		"account-email-none": templates.AccountEmail{Account: templates.Account{Common: plain, User: templates.Person{Name: "Bob"}, Here: "email"}, Email: templates.EmailState{None: true}},
		"account-profile":    profile,
		"account-profile-fixed": templates.AccountProfile{
			Account: frame("profile", words.Sentence{}), Ticket: "sealed.ticket", PreferredUsername: "alice", FixedUsername: true, SharedUsername: true,
		},
		"account-profile-done":       templates.AccountProfile{Account: frame("profile", words.Say("account-done.profile"))},
		"account-profile-wrong":      wrongProfile,
		"account-password":           password,
		"account-password-none":      templates.AccountPassword{Account: frame("password", words.Sentence{}), None: true},
		"account-password-wrong":     wrongCurrent,
		"account-password-weak":      weak,
		"account-password-throttled": throttled,
		"account-sessions": templates.AccountSessions{Account: frame("sessions", words.Say("account-done.session")), Others: true, OthersTicket: "sealed.ticket",
			Stolen: []templates.StolenSession{{Agent: words.Say("account-browser.name-and-system", "Browser", "Chrome", "System", "Windows"), Ended: noon}, {Ended: now}},
			Sessions: []templates.SessionRow{
				{ID: "ses_1", Ticket: "sealed.ticket.1", Agent: words.Say("account-browser.name-and-system", "Browser", "Firefox", "System", "Linux"), Address: "192.0.2.1", Here: true, SignedIn: noon, LastActive: now, Apps: []templates.Client{app, notes}},
				{ID: "ses_2", Ticket: "sealed.ticket.2", Agent: words.Say("account-browser.name-and-system", "Browser", "Safari", "System", "iOS"), Address: "2001:db8::1", SignedIn: noon, LastActive: noon},
				{ID: "ses_3", Ticket: "sealed.ticket.3"},
			},
			Trusted: []templates.TrustedRow{
				{ID: "trb_1", Ticket: "sealed.ticket.4", Agent: words.Say("account-browser.name-and-system", "Browser", "Firefox", "System", "Linux"), Address: "192.0.2.1", Since: noon, Used: now, Until: now},
				{ID: "trb_2", Ticket: "sealed.ticket.5", Since: noon, Until: now},
			}},
		"account-sessions-one": templates.AccountSessions{Account: frame("sessions", words.Sentence{}),
			Sessions: []templates.SessionRow{{ID: "ses_1", Ticket: "sealed.ticket", Agent: words.Say("account-browser.name-and-system", "Browser", "Chrome", "System", "macOS"), Address: "192.0.2.1", Here: true, SignedIn: noon, LastActive: now}}},
		"account-endall": templates.AccountEndAll{Account: frame("sessions", words.Sentence{}), Ticket: "sealed.ticket"},
		"account-apps": templates.AccountApps{Account: frame("apps", words.Sentence{}), Apps: []templates.AppRow{
			photosRow,
			{ClientID: "notes", App: notes, Since: noon, Wants: []templates.Want{templates.WantOf("openid")}},
			{ClientID: "desk", App: templates.Client{Name: "Desk", Host: "desk.example.com"}, LastUsed: now},
		}},
		"account-identities": templates.AccountIdentities{
			Account: frame("identities", words.Say("account-done.linked")), LinkTicket: "sealed.link",
			Identities: []templates.IdentityRow{
				{Key: "0a1b", Ticket: "sealed.ticket.1", Connector: templates.ConnectorButton{ID: "google", Kind: "google", Name: "Google"},
					Email: "alice@gmail.com", Name: "Alice L.", Groups: "staff, dev", Since: noon, LastUsed: now},
				{Key: "2c3d", Ticket: "sealed.ticket.2", Connector: templates.ConnectorButton{ID: "corp", Name: "corp"}, Gone: true, Since: noon},
			},
			Connectors: []templates.ConnectorButton{{ID: "google", Kind: "google", Name: "Google"}, {ID: "github", Kind: "github", Name: "GitHub"}}},
		"account-connect": templates.AccountIdentity{Account: frame("identities", words.Sentence{}), Ticket: "sealed.ticket", Connector: templates.ConnectorButton{ID: "github", Kind: "github", Name: "GitHub"}},
		"account-disconnect": templates.AccountIdentity{Account: frame("identities", words.Sentence{}), Ticket: "sealed.ticket", Disconnect: true, Connector: templates.ConnectorButton{ID: "github", Kind: "github", Name: "GitHub"},
			Identity: templates.IdentityRow{Key: "0a1b", Email: "octo@octo.example"}},
		"account-passkeys": templates.AccountPasskeys{
			Account: frame("passkeys", words.Say("account-done.passkey")), Offered: true, RPID: "id.example.com", UserHandle: "dXNyXzE", AccountName: "alice@example.com", AcceptedIDs: "AAEC,AwQF",
			Passkeys: []templates.PasskeyRow{
				{ID: "crd_1", Name: "Phone", Ticket: "sealed.ticket.1", BackedUp: true, Since: noon, LastUsed: now},
				{ID: "crd_2", Ticket: "sealed.ticket.2", Suspect: now, Since: noon, Unproven: true},
				{ID: "crd_3", Name: "Old key", Ticket: "sealed.ticket.3", Since: noon, Unproven: true, Unusable: true},
			}},
		"account-passkeys-none":     templates.AccountPasskeys{Account: frame("passkeys", words.Sentence{}), Offered: true, RPID: "id.example.com", UserHandle: "dXNyXzE", AccountName: "alice@example.com"},
		"account-passkeys-full":     templates.AccountPasskeys{Account: frame("passkeys", words.Sentence{}), Offered: true, Full: true, Passkeys: []templates.PasskeyRow{{ID: "crd_1", Name: "Phone", Ticket: "sealed.ticket.1", Since: noon}}},
		"account-passkeys-no-host":  templates.AccountPasskeys{Account: frame("passkeys", words.Sentence{})},
		"account-add-passkey":       addPasskey,
		"account-add-passkey-not":   addPasskeyNot,
		"account-add-passkey-wrong": addPasskeyWrong,
		"account-remove-passkey":    templates.AccountRemovePasskey{Account: frame("passkeys", words.Sentence{}), Ticket: "sealed.ticket", Passkey: templates.PasskeyRow{ID: "crd_1", Name: "Phone"}},
		"account-remove-unnamed":    templates.AccountRemovePasskey{Account: frame("passkeys", words.Sentence{}), Ticket: "sealed.ticket", Passkey: templates.PasskeyRow{ID: "crd_1"}},
		"account-identities-none":   templates.AccountIdentities{Account: frame("identities", words.Sentence{})},
		"account-apps-none":         templates.AccountApps{Account: frame("apps", words.Say("account-done.app"))},
		"account-security":          templates.AccountSecurity{Account: frame("security", words.Say("account-done.no-totp")), Password: true, Passkeys: 1},
		"account-security-asks":     templates.AccountSecurity{Account: frame("security", words.Sentence{}), Password: true, Passkeys: 1, Offered: true, Recovers: true, Codes: 10, AlwaysAsk: &templates.AlwaysAskChoice{On: true}},
		"account-security-may-ask":  templates.AccountSecurity{Account: frame("security", words.Sentence{}), Password: true, Passkeys: 1, Offered: true, Recovers: true, AlwaysAsk: &templates.AlwaysAskChoice{}},
		"account-always-ask":        templates.AccountAlwaysAsk{Account: frame("security", words.Sentence{}), Ticket: "sealed.ticket", On: true},
		"account-always-ask-off":    templates.AccountAlwaysAsk{Account: frame("security", words.Sentence{}), Ticket: "sealed.ticket"},
		"account-security-none":     templates.AccountSecurity{Account: frame("security", words.Sentence{})},
		"account-security-app":      templates.AccountSecurity{Account: frame("security", words.Sentence{}), Password: true, App: &templates.AppState{Since: noon, LastUsed: now}, Offered: true, Recovers: true, Codes: 9},
		"account-security-few":      templates.AccountSecurity{Account: frame("security", words.Sentence{}), Password: true, App: &templates.AppState{Since: noon}, Offered: true, Full: true, Recovers: true, Codes: 1},
		"account-security-codeless": templates.AccountSecurity{Account: frame("security", words.Sentence{}), Password: true, Passkeys: 1, Offered: true, Recovers: true},
		"account-security-keys": templates.AccountSecurity{Account: frame("security", words.Say("account-done.key-added")), Password: true, Offered: true, Recovers: true, Codes: 10, Keys: []templates.PasskeyRow{
			{ID: "crd_1", Name: "Desk", Ticket: "sealed.ticket.1", Since: noon, LastUsed: now, Suspect: now}, {ID: "crd_2", Ticket: "sealed.ticket.2", Since: noon, Unusable: true},
		}},
		"account-add-key":          addKey,
		"account-add-key-not":      addKeyNot,
		"account-remove-key":       templates.AccountRemoveKey{Account: frame("security", words.Sentence{}), Ticket: "sealed.ticket", Key: templates.PasskeyRow{ID: "crd_1", Name: "Desk"}},
		"account-remove-key-last":  templates.AccountRemoveKey{Account: frame("security", words.Sentence{}), Ticket: "sealed.ticket", Key: templates.PasskeyRow{ID: "crd_1"}, Last: true, LosesCodes: true},
		"account-remove-totp-last": templates.AccountRemoveTOTP{Account: frame("security", words.Sentence{}), Ticket: "sealed.ticket", App: "crd_1", Last: true, LosesCodes: true},
		"account-totp":             totp,
		"account-totp-wrong":       wrongTOTP,
		"account-remove-totp":      templates.AccountRemoveTOTP{Account: frame("security", words.Sentence{}), Ticket: "sealed.ticket", App: "crd_1"},
		"account-proof":            templates.AccountProof{Account: frame("security", words.Sentence{}), Ticket: "sealed.ticket", For: "totp", Email: "alice@example.com", Cancel: "/auth/account/security"},
		"account-proof-sent":       templates.AccountProof{Account: frame("security", words.Sentence{}), Ticket: "sealed.ticket", For: "enrol", Request: "sealed.request", Email: "alice@example.com", Sent: true, Cancel: "/auth/login/enrol?request=sealed.request"},
		"account-proof-former":     templates.AccountProof{Account: frame("security", words.Sentence{}), Ticket: "sealed.ticket", For: "totp", Email: "alice@example.org", FormerUntil: noon, Cancel: "/auth/account/security"},
		"account-proof-throttled": templates.AccountProof{Account: frame("security", words.Sentence{}), Ticket: "sealed.ticket", For: "totp", Email: "alice@example.com", Cancel: "/auth/account/security",
			Error: &templates.FormError{Code: "too_many_attempts", Text: words.Say("reset.too-many"), RetryAfter: 900}},
		"account-codes-sign-in":    templates.AccountCodes{Account: frame("security", words.Sentence{}), Codes: codeSamples, Added: words.Say("account-codes.added"), Request: "sealed.request"},
		"account-codes-ask":        templates.AccountCodes{Account: frame("security", words.Sentence{}), Ticket: "sealed.ticket", Left: 2},
		"account-codes":            templates.AccountCodes{Account: frame("security", words.Sentence{}), Codes: codeSamples},
		"account-codes-added":      templates.AccountCodes{Account: frame("security", words.Sentence{}), Codes: codeSamples, Added: words.Say("account-codes.added-key")},
		"account-withdraw":         templates.AccountWithdraw{Account: frame("apps", words.Sentence{}), Ticket: "sealed.ticket", App: photosRow},
		"account-withdraw-session": templates.AccountWithdraw{Account: frame("apps", words.Sentence{}), Ticket: "sealed.ticket", App: templates.AppRow{ClientID: "notes", App: notes}},
	}
}
