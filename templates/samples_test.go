package templates_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"

	"signet/static"
	"signet/templates"
	"signet/templates/words"
)

var withLogo = templates.Common{
	Base: "/auth", Issuer: "auth.example.com",
	Client: templates.Client{Name: "Photos", Host: "photos.example.com", LogoPath: "/client-logo/photos/0123456789ab"},
}

var photos = templates.Common{
	Issuer: "auth.example.com",
	Client: templates.Client{
		Name:      "Photos",
		Host:      "photos.example.com",
		PolicyURL: "https://photos.example.com/privacy",
		TermsURL:  "https://photos.example.com/terms",
	},
}

var (
	plain = templates.Common{Base: "/auth", Issuer: "auth.example.com"}
	alice = templates.Person{Name: "Alice Liddell", Email: "alice@example.com"}
)

// passkeyAsk is the form for a passkey, as long as its values are in fact.
var passkeyAsk = templates.PasskeyAsk{Page: "/login", RPID: "id.example.com", Challenge: strings.Repeat("Y", 43), Sealed: strings.Repeat("s", 330)}

// samples are all pages in all their states. Each is a golden file, and the ground
// on which the hostile values are sown.
func samples() map[string]templates.Page {
	key := templates.KeyAsk{Page: "/login/factor", RPID: "id.example.com", Challenge: "challenge", Sealed: "sealed.challenge", Allowed: "aWQ;usb;nfc,aWQy", Verification: "discouraged"}
	keyOrPasskey := key
	keyOrPasskey.Passkeys, keyOrPasskey.Verification = true, "preferred"
	linkPasskey := templates.LinkPasskey{
		Common: plain, Link: "sealed.link", User: "alice@example.com", Evicts: true, Factor: "sealed.factor", RPID: "id.example.com", Challenge: "Y2hhbGxlbmdl",
		Sealed: "sealed.challenge", UserHandle: "dXNyXzE", AccountName: "alice@example.com", Algorithms: "-7,-8,-257", Exclude: "AAEC",
	}
	wrongCode := &templates.FormError{Code: "invalid_code", Text: words.Say("factor-refused.wrong"), Field: "code"}
	home := photos
	home.Client.HomeURL = "https://photos.example.com/"
	pages := map[string]templates.Page{
		"signin":          templates.SignIn{Common: photos, Request: "sealed.request", KeepDays: 30},
		"signin-plain":    templates.SignIn{Common: plain, ReturnTo: "/auth/account", KeepDays: 1, Keep: true},
		"signin-bare":     templates.SignIn{},
		"signin-stolen":   templates.SignIn{Common: photos, Request: "sealed.request", KeepDays: 30, Stolen: true},
		"signin-other":    templates.SignIn{Common: photos, Request: "sealed.request", Other: true, KeepDays: 30},
		"signin-hint":     templates.SignIn{Common: home, Request: "sealed.request", Username: "alice@example.com", KeepDays: 30},
		"signin-wrong":    templates.SignIn{Common: photos, Request: "sealed.request", Username: "alice@example.com", KeepDays: 30, Keep: true, Error: &templates.FormError{Code: "invalid_credentials", Text: words.Say("password-refused.wrong"), Field: "password"}},
		"signin-username": templates.SignIn{Common: photos, Request: "sealed.request", KeepDays: 30, Error: &templates.FormError{Code: "invalid_request", Text: words.Say("form.email-wrong"), Field: "username"}},
		"signin-throttled": templates.SignIn{Common: photos, Request: "sealed.request", Username: "alice@example.com", KeepDays: 30,
			Error: &templates.FormError{Code: "too_many_attempts", Text: words.Say("password-refused.too-many-attempts"), RetryAfter: 40}},
		"signin-throttled-connectors": templates.SignIn{Common: photos, Request: "sealed.request", Username: "alice@example.com", KeepDays: 30,
			Error:      &templates.FormError{Code: "too_many_attempts", Text: words.Say("password-refused.too-many-attempts"), RetryAfter: 12 * 60},
			Connectors: []templates.ConnectorButton{{ID: "google", Kind: "google", Name: "Google"}}},
		"signin-connectors": templates.SignIn{Common: photos, Request: "sealed.request", KeepDays: 30, Connectors: []templates.ConnectorButton{
			{ID: "github", Kind: "github", Name: "GitHub", Last: true}, {ID: "google", Kind: "google", Name: "Google"}, {ID: "corp", Kind: "oidc", Name: "Example Corp"},
		}},
		"signin-passkey": templates.SignIn{Common: photos, Request: "sealed.request", KeepDays: 30, Forgot: true, Passkey: &passkeyAsk},
		"signin-passkey-wrong": templates.SignIn{Common: photos, Request: "sealed.request", KeepDays: 30, Other: true, Error: &templates.FormError{Code: "passkey_refused", Text: words.Say("passkey.refused")},
			Passkey: &templates.PasskeyAsk{Page: "/login", RPID: "id.example.com", Challenge: "Y2hhbGxlbmdl", Sealed: "sealed.challenge", Unknown: "AAEC", Other: true}},
		"confirm-passkey": templates.Confirm{Common: plain, Request: "sealed.request", User: alice, Wanted: templates.Wanted{Act: "passkey"}, Cancel: "/auth/account/passkeys",
			Passkey: &templates.PasskeyAsk{Page: "/login", RPID: "id.example.com", Challenge: "Y2hhbGxlbmdl", Sealed: "sealed.challenge", Keep: true, Only: true}},
		"prove-passkey": templates.Prove{Common: photos, Request: "sealed.request", Email: "alice@example.com", Password: true,
			Connector: templates.ConnectorButton{ID: "google", Kind: "google", Name: "Google"}, Passkey: &passkeyAsk},
		"confirm": templates.Confirm{Common: plain, Request: "sealed.request", User: alice, Wanted: templates.Wanted{Act: "unlink"}, Password: true, Keep: true,
			Connectors: []templates.ConnectorButton{{ID: "google", Kind: "google", Name: "Google"}}, Cancel: "/auth/account/identities", Other: "/auth/login?request=sealed.request&other=1"},
		"confirm-tried": templates.Confirm{Common: plain, Request: "sealed.request", User: alice, Wanted: templates.Wanted{Act: "password"}, Tried: "Google", TriedSays: true,
			Connectors: []templates.ConnectorButton{{ID: "google", Kind: "google", Name: "Google"}}, Cancel: "/auth/account"},
		"confirm-helpless": templates.Confirm{Common: plain, Request: "sealed.request", User: alice, Wanted: templates.Wanted{Act: "revoke", Unknown: true}, Unable: []string{"GitHub"}, Cancel: "/auth/admin/keys"},
		"confirm-app": templates.Confirm{Common: photos, Request: "sealed.request", Decline: true, Ticket: "sealed.ticket", User: alice, Wanted: templates.Wanted{MaxAge: 5 * time.Minute, Unknown: true},
			Tried: "GitHub", Password: true, Forgot: true, Other: "/login?request=sealed.request&other=1",
			Error: &templates.FormError{Code: "invalid_credentials", Text: words.Say("password-refused.wrong"), Field: "password"}},
		"confirm-app-helpless": templates.Confirm{Common: photos, Request: "sealed.request", Decline: true, Ticket: "sealed.ticket", User: alice, Wanted: templates.Wanted{Again: true}, Unable: []string{"GitHub", "Example Corp"}},
		"confirm-stronger": templates.Confirm{Common: photos, Request: "sealed.request", Decline: true, NotNow: true, Ticket: "sealed.ticket", User: alice, Wanted: templates.Wanted{Stronger: true},
			Factor: "/login/factor?request=sealed.request", Passkey: &passkeyAsk, Other: "/login?request=sealed.request&other=1"},
		"confirm-key": templates.Confirm{Common: photos, Request: "sealed.request", Decline: true, Ticket: "sealed.ticket", User: alice, Wanted: templates.Wanted{Stronger: true, Key: true},
			Passkey: &templates.PasskeyAsk{Page: "/login", RPID: "id.example.com", Challenge: "Y2hhbGxlbmdl", Sealed: "sealed.challenge", Only: true}},
		"confirm-own-stronger": templates.Confirm{Common: plain, Request: "sealed.request", User: alice, Wanted: templates.Wanted{Act: "security", Stronger: true},
			Factor: "/auth/login/factor?request=sealed.request", Cancel: "/auth/account/security"},
		"confirm-service": templates.Confirm{Common: plain, Request: "sealed.request", User: alice, Wanted: templates.Wanted{Stronger: true}, Factor: "/auth/login/factor?request=sealed.request"},
		"prove": templates.Prove{Common: photos, Request: "sealed.request", Email: "alice@example.com", Password: true,
			Connectors: []templates.ConnectorButton{{ID: "github", Kind: "github", Name: "GitHub"}, {ID: "corp", Kind: "oidc", Name: "Example Corp"}},
			Connector:  templates.ConnectorButton{ID: "google", Kind: "google", Name: "Google"}, Back: "/login?request=sealed.request"},
		"prove-no-password": templates.Prove{Common: plain, Request: "sealed.request", Email: "alice@example.com",
			Connectors: []templates.ConnectorButton{{ID: "github", Kind: "github", Name: "GitHub"}},
			Connector:  templates.ConnectorButton{ID: "google", Kind: "google", Name: "Google"}, Back: "/login?request=sealed.request&other=1"},
		"prove-helpless": templates.Prove{Common: photos, Request: "sealed.request", Email: "alice@example.com",
			Connector: templates.ConnectorButton{ID: "google", Kind: "google", Name: "Google"}, Back: "/login?request=sealed.request"},
		"connect": templates.Connect{Common: photos, Request: "sealed.request", Ticket: "sealed.ticket", Email: "alice@example.com",
			Connector: templates.ConnectorButton{ID: "github", Kind: "github", Name: "GitHub"}, Label: "mallory"},
		"connect-nameless": templates.Connect{Common: plain, Request: "sealed.request", Ticket: "sealed.ticket", Email: "alice@example.com",
			Connector: templates.ConnectorButton{ID: "google", Kind: "google", Name: "Google"}},
		"prove-wrong": templates.Prove{Common: photos, Request: "sealed.request", Email: "alice@example.com", Password: true, Forgot: true,
			Connector: templates.ConnectorButton{ID: "google", Kind: "google", Name: "Google"}, Back: "/login?request=sealed.request",
			Error: &templates.FormError{Code: "invalid_credentials", Text: words.Say("password-refused.wrong"), Field: "password"}},
		"prove-throttled": templates.Prove{Common: photos, Request: "sealed.request", Email: "alice@example.com", Password: true,
			Connector: templates.ConnectorButton{ID: "google", Kind: "google", Name: "Google"}, Back: "/login?request=sealed.request",
			Error: &templates.FormError{Code: "too_many_attempts", Text: words.Say("password-refused.too-many-attempts"), RetryAfter: 3 * 60}},
		"consent": templates.Consent{Common: photos, Request: "sealed.request", Ticket: "sealed.ticket", User: alice, Switch: "/select?request=sealed.request",
			Wants: []templates.Want{
				{Scope: "profile", Text: words.Say("scope.openid"), Detail: words.Say("scope.profile-detail")},
				{Scope: "email", Text: words.Say("scope.email"), New: true},
				{Scope: "offline_access", Text: words.Say("scope.offline"), New: true, Offline: true},
				{Scope: "photos:write"},
			}},
		"signin-logo":            templates.SignIn{Common: withLogo, Request: "sealed.request"},
		"consent-logo":           templates.Consent{Common: withLogo, Request: "sealed.request", Ticket: "sealed.ticket", User: alice, Switch: "/select?request=sealed.request", Wants: []templates.Want{templates.WantOf("openid")}},
		"device-entry":           templates.DeviceEntry{Common: plain, Ticket: "sealed.ticket", User: alice, Code: "WDJB-MJHT"},
		"device-entry-wrong":     templates.DeviceEntry{Common: plain, Ticket: "sealed.ticket", User: alice, Code: "wdjb", Error: &templates.FormError{Code: "invalid_user_code", Text: words.Say("device-problem.wrong"), Field: "user_code"}},
		"device-entry-throttled": templates.DeviceEntry{Common: plain, Ticket: "sealed.ticket", User: alice, Error: &templates.FormError{Code: "too_many_attempts", Text: words.Say("device-problem.throttled"), RetryAfter: 40}},
		"device-consent": templates.DeviceConsent{Common: photos, Request: "sealed.request", Ticket: "sealed.ticket", User: alice, Code: "WDJB-MJHT", Address: "192.0.2.1", Switch: "/login?request=sealed.request&other=1",
			Asked: templates.Moment{ISO: "2026-03-01T12:00:00Z", Text: "1 March 2026, 12:00 GMT", Ago: words.Say("moment.minutes-ago", "Count", 2)},
			Wants: []templates.Want{templates.WantOf("openid"), templates.WantOf("email"), templates.WantOf("offline_access")}},
		"device-allowed":  templates.DeviceAnswered{Common: photos, Allowed: true},
		"device-denied":   templates.DeviceAnswered{Common: plain},
		"choose":          templates.ChooseAccount{Common: photos, Request: "sealed.request", Ticket: "sealed.ticket", User: alice},
		"choose-nameless": templates.ChooseAccount{Common: plain, Request: "sealed.request", Ticket: "sealed.ticket", User: templates.Person{Email: "bob@example.com"}},
		"signout":         templates.SignOut{Common: photos, Request: "sealed.logout", Ticket: "sealed.ticket", User: alice},
		"signout-plain":   templates.SignOut{Common: plain, Ticket: "sealed.ticket", User: alice},
		"signedout":       templates.SignedOut{Common: plain, Ended: true, AgainURL: "/auth/account"},
		"signedout-none":  templates.SignedOut{Common: plain, AgainURL: "/auth/account"},
		"signedout-told": templates.SignedOut{Common: plain, Ended: true, Told: []templates.ToldClient{
			{Name: "Mail", State: templates.Told}, {Name: "Wiki", State: templates.NotAnswering}, {Name: "Photos", State: templates.BeingTold}, {Name: "Forum", State: templates.NotTold},
		}},
		"signedout-all-told": templates.SignedOut{Common: plain, Ended: true, Told: []templates.ToldClient{{Name: "Mail", State: templates.Told}, {Name: "Wiki", State: templates.Told}}},
		"signedout-unverified": templates.SignedOut{
			Common: templates.Common{Base: plain.Base, Issuer: plain.Issuer, Client: templates.Client{Host: "rp.example.org", Unverified: true}}, Ended: true,
			ContinueURL: "https://rp.example.org/bye", AppName: "rp.example.org", AgainURL: "/auth/account",
		},
		"signedout-continue": templates.SignedOut{Common: photos, Ended: true, ContinueURL: "https://photos.example.com/bye?state=1&x=2", AppName: "Photos", AgainURL: "/auth/account"},
		"signedout-frames": templates.SignedOut{Common: plain, Ended: true, AgainURL: "/auth/account", Frames: []string{
			"https://mail.example.com/out?iss=https%3A%2F%2Fauth.example.com&sid=s", "https://wiki.example.com/out?tenant=7&iss=https%3A%2F%2Fauth.example.com&sid=s",
		}},
		"leaving":          templates.Leaving{Common: plain, URL: "https://photos.example.com/bye?state=1&x=2", AppName: "Photos", Frames: []string{"https://mail.example.com/out?sid=s"}},
		"leaving-nameless": templates.Leaving{Common: plain, URL: "http://localhost:3000/bye", Frames: []string{"http://localhost:3000/out?sid=s"}},
		"continue":         templates.Continue{Common: photos, URL: "/authorize/next?request=sealed.request"},
		"continue-create": templates.Continue{
			Common: photos, URL: "/authorize/next?request=sealed.request", Passkeys: &templates.KnownPasskeys{RPID: "id.example.com", UserHandle: "dXNyXzE", AccountName: "alice@example.com"},
			Create: &templates.PasskeyCreate{Challenge: "Y2hhbGxlbmdl", Sealed: "sealed.challenge", Algorithms: "-7,-8,-257"},
		},
		"continue-passkeys": templates.Continue{Common: photos, URL: "/authorize/next?request=sealed.request", Passkeys: &templates.KnownPasskeys{
			RPID: "id.example.com", UserHandle: "dXNyXzE", AccountName: "alice@example.com", AcceptedIDs: "AAEC,AwQF",
		}},
		"formpost": templates.FormPost{Common: photos, URL: "https://photos.example.com/callback?tenant=7&x=%2F", Fields: []templates.Field{
			{Parameter: "code", Value: "sealed.code"}, {Parameter: "iss", Value: "https://auth.example.com"}, {Parameter: "state", Value: `a"b<c>&d`},
		}},
		"signin-forgot":          templates.SignIn{Common: photos, Request: "sealed.request", Forgot: true, KeepDays: 30},
		"signin-sign-up":         templates.SignIn{Common: photos, Request: "sealed.request", Forgot: true, SignUp: "/signup?request=sealed.request", KeepDays: 30},
		"second-factor":          templates.SecondFactor{Common: photos, Request: "sealed.request", User: alice, App: true, Switch: "/login/factor?request=sealed.request&way=recovery", Other: "/login?request=sealed.request&other=1"},
		"second-factor-wrong":    templates.SecondFactor{Common: photos, Request: "sealed.request", User: alice, App: true, Switch: "/login/factor?request=sealed.request&way=recovery", Refused: "1", ClockHint: true, Error: wrongCode, TrustDays: 30, Trust: true},
		"second-factor-key":      templates.SecondFactor{Common: photos, Request: "sealed.request", User: alice, App: true, Key: &key, Switch: "/login/factor?request=sealed.request&way=recovery", Other: "/login?request=sealed.request&other=1"},
		"second-factor-key-only": templates.SecondFactor{Common: plain, Request: "sealed.request", User: alice, Recovery: true, Key: &keyOrPasskey, Error: &templates.FormError{Code: "passkey_refused", Text: words.Say("second-factor.key-refused")}},
		"second-factor-recovery": templates.SecondFactor{Common: plain, Request: "sealed.request", User: alice, App: true, Recovery: true, Switch: "/auth/login/factor?request=sealed.request"},
		"second-factor-trust":    templates.SecondFactor{Common: photos, Request: "sealed.request", User: alice, App: true, Key: &key, Switch: "/login/factor?request=sealed.request&way=recovery", TrustDays: 1},
		"reset":                  templates.Reset{Common: photos, Request: "sealed.request", SignIn: "/login?request=sealed.request"},
		"reset-wrong":            templates.Reset{Common: plain, SignIn: "/auth/login", Email: "alice", Error: &templates.FormError{Code: "invalid_email", Field: "email", Text: words.Say("set-up-problem.email", "Example", "ada@example.com")}},
		"reset-throttled": templates.Reset{Common: plain, SignIn: "/auth/login", Email: "alice@example.com",
			Error: &templates.FormError{Code: "too_many_attempts", Text: words.Say("reset.too-many"), RetryAfter: 900}},
		"reset-sent":         templates.Reset{Common: photos, SignIn: "/login?request=sealed.request", Sent: true},
		"reset-changed":      templates.Reset{Common: plain, SignIn: "/auth/login", Changed: true},
		"reset-changed-app":  templates.Reset{Common: plain, SignIn: "/auth/login", Changed: true, App: "Photos", StartURL: "https://photos.example.com/"},
		"newpassword":        templates.NewPassword{Common: plain, Link: "sealed.link", Email: "alice@example.com", MinLength: 10},
		"newpassword-evicts": templates.NewPassword{Common: plain, Link: "sealed.link", Email: "alice@example.com", Evicts: true},
		"newpassword-weak": templates.NewPassword{Common: plain, Link: "sealed.link", Email: "alice@example.com", MinLength: 10,
			Error: &templates.FormError{Code: "weak_password", Text: words.Say("weak-password.too-short", "Count", 10), Field: "new-password"}},
		"signup-created":     templates.SignUp{Common: plain, SignIn: "/auth/login", Created: true, App: "Photos", StartURL: "https://photos.example.com/"},
		"newaccount":         templates.NewAccount{Common: plain, Link: "sealed.link", Email: "alice@example.com", MinLength: 10},
		"newaccount-invited": templates.NewAccount{Common: plain, Invited: true, Connectors: []templates.ConnectorButton{{ID: "google", Kind: "google", Name: "Google"}, {ID: "corp", Kind: "oidc", Name: "Example Corp"}}, Link: "sealed.link", Email: "alice@example.com", Name: "Alice Liddell", MinLength: 10},
		"invited":            templates.Invited{Common: plain, SignIn: "/auth/login"},
		"invited-app":        templates.Invited{Common: plain, SignIn: "/auth/login", App: "Photos & <more>", StartURL: "https://photos.example.com/login?iss=https%3A%2F%2Fid.example.com"},
		"invited-signed-in":  templates.Invited{Common: plain, SignedIn: true, SignIn: "/auth/login"},
		"signup":             templates.SignUp{Common: plain, SignIn: "/auth/login"},
		"signup-connectors": templates.SignUp{Common: plain, SignIn: "/auth/login", Trip: "sealed.request.for.the.account",
			Connectors: []templates.ConnectorButton{{ID: "google", Kind: "google", Name: "Google"}}},
		"signup-app": templates.SignUp{Common: photos, Request: "sealed.request", SignIn: "/login?request=sealed.request", Email: "alice@example.com", Trip: "sealed.request",
			Connectors: []templates.ConnectorButton{{ID: "google", Kind: "google", Name: "Google"}, {ID: "corp", Kind: "oidc", Name: "Example Corp"}}},
		"signup-sent": templates.SignUp{Common: plain, SignIn: "/auth/login", Sent: true},
		"signup-throttled": templates.SignUp{Common: plain, SignIn: "/auth/login", Email: "alice@example.com",
			Error: &templates.FormError{Code: "too_many_attempts", Text: words.Say("reset.too-many"), RetryAfter: 900}},
		"signup-wrong": templates.SignUp{Common: plain, SignIn: "/auth/login", Email: "alice",
			Error: &templates.FormError{Code: "invalid_email", Field: "email", Text: words.Say("set-up-problem.email", "Example", "ada@example.com")}},
		"newaccount-weak": templates.NewAccount{Common: plain, Link: "sealed.link", Email: "alice@example.com", Name: "Alice Liddell", MinLength: 10,
			Error: &templates.FormError{Code: "weak_password", Text: words.Say("weak-password.too-short", "Count", 10), Field: "new-password"}},
		"newaccount-name": templates.NewAccount{Common: plain, Link: "sealed.link", Email: "alice@example.com", Name: "Alice", MinLength: 10,
			Error: &templates.FormError{Code: "invalid_name", Text: words.Say("set-up-problem.name"), Field: "name"}},
		"error-link-taken": templates.Error{Common: plain, Status: 410, Code: "link_address_taken", Title: words.Say("dead-link.title"), Text: words.Say("dead-link.address-taken"),
			Reference: "req_7f3a9c01", StartURL: "/auth/login", StartText: words.Say("dead-link.sign-in")},
		"error-link": templates.Error{Common: plain, Status: 410, Code: "link_used", Title: words.Say("dead-link.title"), Text: words.Say("dead-link.used"),
			Reference: "req_7f3a9c01", StartURL: "/auth/reset", StartText: words.Say("dead-link.new-reset")},
		"verifyemail":              templates.VerifyEmail{Common: plain, Link: "sealed.link", Email: "alice@example.com", Own: true},
		"verifyemail-out":          templates.VerifyEmail{Common: plain, Link: "sealed.link", Email: "alice@example.com"},
		"verifyemail-other":        templates.VerifyEmail{Common: plain, Link: "sealed.link", Email: "alice@example.com", Other: true},
		"verifyemail-change":       templates.VerifyEmail{Common: plain, Link: "sealed.link", Email: "new@example.com", Former: "alice@example.com", Own: true, Change: true},
		"verifyemail-change-final": templates.VerifyEmail{Common: plain, Link: "sealed.link", Email: "new@example.com", Former: "alice@example.com", Own: true, Change: true, Final: true},
		"verifyemail-change-out":   templates.VerifyEmail{Common: plain, Link: "sealed.link", Email: "new@example.com", Change: true},
		"enrol":                    templates.Enrol{Common: photos, Request: "sealed.request", Ticket: "sealed.ticket", User: templates.Person{Name: "Alice", Email: "alice@example.com"}, ForApp: true, App: true, AddPasskey: true, AddKey: true, Other: "/login?request=sealed.request&other=1"},
		"enrol-own-passkey":        templates.Enrol{Common: plain, Request: "sealed.request", Ticket: "sealed.ticket", User: templates.Person{Name: "Alice", Email: "alice@example.com"}, AddPasskey: true, AddKey: true, Passkey: &templates.PasskeyAsk{Page: "/login/enrol", RPID: "auth.example.com", Challenge: "Y2hhbGxlbmdl", Sealed: "sealed.challenge"}, Other: "/login?request=sealed.request&other=1"},
		"enrol-prove":              templates.Enrol{Common: plain, Request: "sealed.request", Ticket: "sealed.ticket", ProofTicket: "sealed.proof", User: templates.Person{Name: "Alice", Email: "alice@example.com"}, Prove: true, Email: "alice@example.com", App: true, Other: "/login?request=sealed.request&other=1"},
		"enrol-unverified":         templates.Enrol{Common: plain, Request: "sealed.request", Ticket: "sealed.ticket", User: templates.Person{Name: "Alice", Email: "alice@example.com"}, Unverified: true, App: true, Other: "/login?request=sealed.request&other=1"},
		"enrol-unable":             templates.Enrol{Common: photos, Request: "sealed.request", Ticket: "sealed.ticket", ProofTicket: "sealed.proof", User: templates.Person{Name: "Alice", Email: "alice@example.com"}, ForApp: true, Key: true, Other: "/login?request=sealed.request&other=1"},
		"linkpasskey":              linkPasskey,
		"linkpasskey-code":         templates.LinkPasskey{Common: plain, Link: "sealed.link", User: "alice@example.com", AskCode: true},
		"linkpasskey-key":          templates.LinkPasskey{Common: plain, Link: "sealed.link", User: "alice@example.com", Key: &templates.KeyAsk{Page: "/link/passkey", RPID: "auth.example.com", Challenge: "Y2hhbGxlbmdl", Sealed: "sealed.challenge", Allowed: "a2V5;usb", Verification: "discouraged"}},
		"linkpasskey-key-or-code":  templates.LinkPasskey{Common: plain, Link: "sealed.link", User: "alice@example.com", AskCode: true, Key: &templates.KeyAsk{Page: "/link/passkey", RPID: "auth.example.com", Challenge: "Y2hhbGxlbmdl", Sealed: "sealed.challenge", Allowed: "a2V5;usb", Verification: "preferred", Passkeys: true}},
		"linkpasskey-wrong":        templates.LinkPasskey{Common: plain, Link: "sealed.link", User: "alice@example.com", AskCode: true, Error: &templates.FormError{Code: "invalid_code", Text: words.Say("second-factor.code-wrong"), Field: "code"}},
		"linkpasskey-throttled":    templates.LinkPasskey{Common: plain, Link: "sealed.link", User: "alice@example.com", AskCode: true, Error: &templates.FormError{Code: "too_many_attempts", Text: words.Say("passkey.too-many"), RetryAfter: 40}},
		"linkpasskey-unable":       templates.LinkPasskey{Common: plain, Link: "sealed.link", User: "alice@example.com", Unable: words.Say("link-passkey.no-factor")},
		"linkpasskey-done":         templates.LinkPasskey{Common: plain, Done: true, SignIn: "/auth/login"},
		"enrollink":                templates.EnrolLink{Common: plain, Link: "sealed.link", Email: "alice@example.com", Own: true},
		"enrollink-out":            templates.EnrolLink{Common: plain, Link: "sealed.link", Email: "alice@example.com"},
		"enrollink-other":          templates.EnrolLink{Common: plain, Link: "sealed.link", Email: "alice@example.com", Other: true},
		"undoemail":                templates.UndoEmail{Common: plain, Link: "sealed.link", Email: "alice@example.com"},
		"undoemail-done":           templates.UndoEmail{Common: plain, Done: true},
		"verifyemail-done":         templates.VerifyEmail{Common: plain, Done: true},
		"setup":                    templates.Setup{Common: plain, Token: "secret.token", MinLength: 10},
		"setup-weak": templates.Setup{Common: plain, Token: "secret.token", MinLength: 10, Email: "alice@example.com", Name: "Alice Liddell",
			Error: &templates.FormError{Code: "weak_password", Text: words.Say("weak-password.too-short", "Count", 10), Field: "new-password"}},
		"setup-taken": templates.Setup{Common: plain, Token: "secret.token", Email: "alice@example.com",
			Error: &templates.FormError{Code: "email_taken", Text: words.Say("set-up-problem.email-taken"), Field: "email"}},
		"setup-emergency": templates.Setup{Common: plain, Token: "secret.token", MinLength: 10, Emergency: true},
		"setup-renew": templates.Setup{Common: plain, Token: "secret.token", MinLength: 10, Emergency: true, Renews: true, Email: "alice@example.com",
			Ways: []templates.SetupWay{{Connector: "Google", Email: "alice@gmail.com"}, {Connector: "Example Corp"}}},
		"setup-renew-weak": templates.Setup{Common: plain, Token: "secret.token", MinLength: 10, Emergency: true, Renews: true, Email: "alice@example.com",
			Error: &templates.FormError{Code: "weak_password", Text: words.Say("weak-password.too-short", "Count", 10), Field: "new-password"}},
		"setup-busy": templates.Setup{Token: "secret.token", Error: &templates.FormError{Code: "temporarily_unavailable", Text: words.Say("password-refused.busy"), RetryAfter: 2}},
		"error": templates.Error{Common: plain, Status: 400, Code: "expired_request", Title: words.Say("request-problem.expired-title"),
			Text: words.Say("request-problem.expired"), Reference: "req_7f3a9c01",
			StartURL: "/auth/authorize?client_id=photos&scope=openid"},
		"error-difference": templates.Error{Common: plain, Status: 400, Code: "invalid_redirect_uri", Title: words.Say("request-problem.redirect-title"),
			Text: words.Say("request-problem.redirect", "Parameter", "redirect_uri"), Reference: "req_7f3a9c01",
			Detail: []templates.Difference{
				{Label: "Redirect URI", Received: "http://127.0.0.1:3000/callback", Registered: []string{"https://photos.example.com/cb", "http://localhost:3000/callback"}},
				{Label: "Redirect URI", Received: "https://photos.example.com/cb", Registered: []string{"https://photos.example.com/cb/"}},
				{Label: "Redirect URI", Received: "https://photos.example.com/cb?x=1", Registered: []string{"https://photos.example.com/cb"}},
				{Label: "Sign-out URI", Received: "https://photos.example.com/bye"},
				{Label: "Client", Received: "photos", Registered: []string{"photos"}},
			}},
		"error-bare": templates.Error{Status: 500},
		"error-form": templates.Error{Common: plain, Status: 400, Code: "invalid_scope", Title: words.Say("application-error.unverified.title"),
			Text:      words.Say("application-error.unverified.text", "Host", "evil.example", "Reason", "the scope is unknown"),
			Reference: "4f2a9c1e", StartURL: "https://evil.example/callback", StartText: words.Say("application-error.unverified.continue"),
			Fields: []templates.Field{{Parameter: "error", Value: "invalid_scope"}, {Parameter: "state", Value: `a"b`}}},
		"home":          templates.Home{Common: plain, Account: "/auth/account"},
		"home-in":       templates.Home{Common: photos, User: &alice, DemoPath: "/demo", Account: "/account", SignOut: "/end_session"},
		"demo":          templates.Demo{Common: templates.Common{Issuer: "localhost:8080"}, Login: "/demo/login", Username: "demo@example.com"},
		"devmails-none": templates.DevMails{Common: plain},
		"devmails": templates.DevMails{Common: templates.Common{Issuer: "localhost:8080"}, Mails: []templates.DevMail{{
			To: "ada@example.com", Subject: "New sign-in to your account", Text: "Somebody signed in.\n\nTime: 2 January 2026, 15:04 UTC\nhttp://localhost:8080/account/sessions\n",
			At: templates.Moment{ISO: "2026-01-02T15:04:05Z", Text: "2 January 2026, 15:04 UTC"}, Links: []string{"/account/sessions", "https://evil.example/"},
		}}},
		"demo-error": templates.Demo{Common: plain, Login: "/demo/login", Username: "demo@example.com", Error: &templates.FormError{Code: "access_denied", Text: words.Say("demo.refused")}},
		"demo-in": templates.Demo{Common: templates.Common{Issuer: "localhost:8080"}, SignedIn: true, DataDir: "signet-dev", Email: "demo@example.com", Login: "/demo/login", Logout: "/demo/logout",
			UserInfo: "{\n  \"sub\": \"usr_9f2c\",\n  \"email\": \"demo@example.com\"\n}",
			Refresh:  "/demo/refresh", Refreshed: "{\n  \"active\": false\n}",
			Introspect: "/demo/introspect", Introspection: "{\n  \"active\": true,\n  \"scope\": \"openid email\"\n}",
			Tokens: []templates.DemoToken{
				{Name: "ID token", Checked: "Signature, issuer, audience, nonce and expiry verified by go-oidc",
					Header: "{\n  \"alg\": \"RS256\",\n  \"kid\": \"k1\",\n  \"typ\": \"JWT\"\n}",
					Claims: "{\n  \"iss\": \"http://localhost:8080\",\n  \"sub\": \"usr_9f2c\",\n  \"aud\": [\n    \"demo\"\n  ],\n  \"exp\": 1790000900,\n  \"iat\": 1790000000,\n  \"auth_time\": 1789999990,\n  \"nonce\": \"n-0S6_WzA2Mj\",\n  \"favourite\": \"tea\"\n}",
					Raw:    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwOi8vbG9jYWxob3N0OjgwODAifQ.c2lnbmF0dXJl"},
				{Name: "Access token", Checked: "Signature and type verified with the published keys",
					Header: "{\n  \"alg\": \"ES256\",\n  \"typ\": \"at+jwt\"\n}", Claims: "{\n  \"scope\": \"openid email\"\n}", Raw: "a.b.c"},
			}},
	}
	maps.Copy(pages, accountSamples())
	maps.Copy(pages, adminSamples())
	return pages
}

func newPages(t *testing.T) (*templates.Pages, *static.Files) {
	t.Helper()
	files, err := static.New("/auth")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := templates.New(files)
	if err != nil {
		t.Fatal(err)
	}
	return pages, files
}

func render(t *testing.T, pages *templates.Pages, page templates.Page) string {
	t.Helper()
	var out bytes.Buffer
	if err := pages.Write(&out, page); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
