package passkey_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"signet/provider/passkey"
	"signet/provider/passkey/passkeytest"
	"signet/storage"
)

var (
	addingKey = passkey.Ceremony{Purpose: passkey.AddKey, Browser: "ses_1", UserID: alice}
	second    = passkey.Ceremony{Purpose: passkey.SecondFactor, Browser: "browser", Request: "request", UserID: alice}
)

// addKey adds a security key.
func (d *desk) addKey(t testing.TB, a *passkeytest.Authenticator) {
	t.Helper()
	challenge, opened := d.begin(t, addingKey)
	added, err := d.CheckNewKey(opened, alice, []byte(a.Create(t, challenge.Text, alice)))
	if err != nil {
		t.Fatalf("add security key: %v", err)
	}
	d.kept = added
	d.kept.ID, d.kept.Kind = "crd_1", storage.FactorSecurityKey
}

// answer signs a challenge as second factor.
func (d *desk) answer(t testing.TB, a *passkeytest.Authenticator, change ...func(*passkeytest.Answer)) (passkey.Checked, error) {
	t.Helper()
	challenge, opened := d.begin(t, second)
	return d.CheckSecondFactor(opened, d.user, []storage.Passkey{d.kept}, []byte(a.Get(t, challenge.Text, change...)))
}

// A security key that verifies nobody and knows no user is a second factor. A key with a PIN says so,
// and a passkey is a second factor too.
func TestSecurityKeys_AddedOneIsSecondFactor(t *testing.T) {
	d := open(t)
	a := passkeytest.NewKey(t, issuer)
	d.addKey(t, a)
	checked, err := d.answer(t, a)
	if u := checked.Use; err != nil || checked.User.ID != alice || u.PasskeyID != "crd_1" || u.Counter != 1 || u.Verified || u.BackedUp || checked.IsSuspect() {
		t.Errorf("%+v, %v", checked, err)
	}
	checked, err = d.answer(t, a, func(a *passkeytest.Answer) { a.Flags |= passkeytest.Verified })
	if err != nil || !checked.Use.Verified {
		t.Errorf("with a PIN: %+v, %v", checked, err)
	}
	own := passkeytest.New(t, issuer)
	d.add(t, own)
	if checked, err := d.answer(t, own); err != nil || !checked.Use.Verified {
		t.Errorf("a passkey: %+v, %v", checked, err)
	}
}

// A security key opens no session by itself, even if it knows its user and has a PIN. It is not
// called unknown, because a browser would forget it then.
func TestCheckSignIn_RefusesSecurityKeys(t *testing.T) {
	d := open(t)
	a := passkeytest.NewKey(t, issuer)
	a.Forgets = false
	d.addKey(t, a)
	_, err := d.signIn(t, a)
	wantRefused(t, "without a PIN", err, "passkey_unverified")
	_, err = d.signIn(t, a, func(a *passkeytest.Answer) { a.Flags |= passkeytest.Verified })
	wantRefused(t, "with a PIN", err, "passkey_second_factor_only")
}

// MF-10, MF-11: the key, challenge, origin, RP ID, user and signature of a second factor must be
// right.
func TestCheckSecondFactor_RefusesWrongAnswers(t *testing.T) {
	d := open(t)
	a := passkeytest.NewKey(t, issuer)
	d.addKey(t, a)
	stranger := passkeytest.NewKey(t, issuer)
	stranger.Create(t, "x", "usr_mallory")
	set := func(name string, value any) func(*passkeytest.Answer) {
		return func(a *passkeytest.Answer) { a.ClientData[name] = value }
	}
	for _, c := range []struct {
		what, code string
		change     func(*passkeytest.Answer)
	}{
		{"another challenge", "passkey_challenge", set("challenge", "AAAA")},
		{"another kind", "passkey_of_other_kind", set("type", "webauthn.create")},
		{"an origin that ends the same", "passkey_origin", set("origin", "https://evil-id.example.com")},
		{"another port", "passkey_origin", set("origin", "https://id.example.com:8443")},
		{"http", "passkey_origin", set("origin", "http://id.example.com")},
		{"a frame", "passkey_framed", set("crossOrigin", true)},
		{"another RP ID", "passkey_rp_id", func(a *passkeytest.Answer) { a.RPID = "example.com" }},
		{"no user presence", "passkey_unverified", func(a *passkeytest.Answer) { a.Flags = 0 }},
		{"a key that was not offered", "passkey_not_offered", func(a *passkeytest.Answer) { a.CredID = stranger.Keys[0].ID }},
		{"another key", "passkey_signature", func(a *passkeytest.Answer) { a.Key = stranger.Keys[0] }},
		{"another user", "passkey_of_other_user", func(a *passkeytest.Answer) { a.UserHandle = []byte("usr_mallory") }},
		{"a key that is now in several devices", "passkey_backup_changed", func(a *passkeytest.Answer) { a.Flags |= passkeytest.BackupEligible }},
		{"no signature", "passkey_signature", func(a *passkeytest.Answer) { a.Signature = func([]byte) []byte { return nil } }},
		{"a longer signature", "passkey_signature", func(a *passkeytest.Answer) {
			a.Signature = func(s []byte) []byte { return append(bytes.Clone(s), 0) }
		}},
		{"another type", "passkey_malformed", func(a *passkeytest.Answer) { a.Type = "password" }},
	} {
		_, err := d.answer(t, a, c.change)
		wantRefused(t, c.what, err, c.code)
	}
	for what, text := range map[string]string{"empty": "", "no JSON": "{", "too long": strings.Repeat(" ", passkey.MaxAnswer+1)} {
		_, opened := d.begin(t, second)
		_, err := d.CheckSecondFactor(opened, d.user, []storage.Passkey{d.kept}, []byte(text))
		wantRefused(t, what, err, "passkey_malformed")
	}
	foreign := d.kept
	foreign.UserID = "usr_mallory"
	challenge, opened := d.begin(t, second)
	_, err := d.CheckSecondFactor(opened, d.user, []storage.Passkey{foreign}, []byte(a.Get(t, challenge.Text)))
	wantRefused(t, "a key of another user", err, "passkey_not_offered")
	challenge, opened = d.begin(t, second)
	_, err = d.CheckSecondFactor(opened, d.user, nil, []byte(a.Get(t, challenge.Text)))
	wantRefused(t, "a removed key", err, "passkey_not_offered")
	if _, err := d.answer(t, a); err != nil {
		t.Errorf("after all these: %v", err)
	}
}

// A challenge for a second factor is for one user, browser, request and purpose.
func TestOpen_ChallengesOfSecondFactorsAreBound(t *testing.T) {
	d := open(t)
	challenge, err := d.Begin(second)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*passkey.Ceremony){
		"sign-in":  func(c *passkey.Ceremony) { c.Purpose = passkey.SignIn },
		"new key":  func(c *passkey.Ceremony) { c.Purpose = passkey.AddKey },
		"browser":  func(c *passkey.Ceremony) { c.Browser = "other" },
		"nobody":   func(c *passkey.Ceremony) { c.Browser = "" },
		"request":  func(c *passkey.Ceremony) { c.Request = "other" },
		"user":     func(c *passkey.Ceremony) { c.UserID = "usr_mallory" },
		"any user": func(c *passkey.Ceremony) { c.UserID = "" },
	} {
		c := second
		change(&c)
		if _, err := d.Open(challenge.Sealed, c); !errors.Is(err, passkey.ErrStale) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzCheckSecondFactor shows that no answer that the key did not sign is accepted.
func FuzzCheckSecondFactor(f *testing.F) {
	d := open(f)
	a := passkeytest.NewKey(f, issuer)
	d.addKey(f, a)
	challenge, opened := d.begin(f, second)
	valid := a.Get(f, challenge.Text)
	named := a.Get(f, challenge.Text, func(a *passkeytest.Answer) { a.UserHandle = []byte(alice) })
	f.Add([]byte(valid))
	f.Add([]byte(named))
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		_, err := d.CheckSecondFactor(opened, d.user, []storage.Passkey{d.kept}, answer)
		if err == nil && !signs(t, answer, valid) && !signs(t, answer, named) {
			t.Errorf("accepted %q", answer)
		}
		if err != nil && !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("%q: %v", answer, err)
		}
	})
}

// FuzzCheckNewKey shows that no answer stops the program, and that an accepted key can be stored.
func FuzzCheckNewKey(f *testing.F) {
	d := open(f)
	challenge, opened := d.begin(f, addingKey)
	f.Add([]byte(passkeytest.NewKey(f, issuer).Create(f, challenge.Text, alice)))
	f.Add([]byte(passkeytest.NewKey(f, issuer).Create(f, challenge.Text, alice, func(a *passkeytest.Answer) { a.Algorithm = 0 })))
	f.Fuzz(func(t *testing.T, answer []byte) {
		k, err := d.CheckNewKey(opened, alice, answer)
		if err == nil && (k.Handle == "" || len(k.Handle) > 1364 || len(k.PublicKey) == 0 || k.RPID == "") {
			t.Errorf("accepted %+v", k)
		}
		if err != nil && !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("%q: %v", answer, err)
		}
	})
}
