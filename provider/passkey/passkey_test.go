package passkey_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"signet/provider/keys/keystest"
	"signet/provider/passkey"
	"signet/provider/passkey/passkeytest"
	"signet/provider/web"
	"signet/storage"
)

const (
	issuer = "https://id.example.com/auth"
	alice  = "usr_alice"
)

// desk is a server with one user and the clock of the test.
type desk struct {
	*passkey.Passkeys
	node *keystest.Node
	at   time.Time
	kept storage.Passkey
	user storage.User
}

func open(t testing.TB) *desk {
	t.Helper()
	d := &desk{node: keystest.Open(t, "ES256"), at: keystest.Noon, user: storage.User{ID: alice}}
	d.Passkeys = d.passkeys(t, issuer)
	return d
}

func (d *desk) passkeys(t testing.TB, issuer string) *passkey.Passkeys {
	t.Helper()
	u, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	return passkey.New(passkey.Config{Ring: d.node.Ring, Issuer: u, Now: func() time.Time { return d.at }})
}

var (
	adding  = passkey.Ceremony{Purpose: passkey.Add, Browser: "ses_1", UserID: alice}
	signing = passkey.Ceremony{Purpose: passkey.SignIn, Browser: "browser", Request: "request"}
)

// begin makes a challenge and opens it, as a page does that is submitted.
func (d *desk) begin(t testing.TB, c passkey.Ceremony) (passkey.Challenge, passkey.Opened) {
	t.Helper()
	challenge, err := d.Begin(c)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := d.Open(challenge.Sealed, c)
	if err != nil {
		t.Fatal(err)
	}
	return challenge, opened
}

// add makes a passkey with the authenticator.
func (d *desk) add(t testing.TB, a *passkeytest.Authenticator) {
	t.Helper()
	challenge, opened := d.begin(t, adding)
	added, err := d.CheckNew(opened, alice, []byte(a.Create(t, challenge.Text, alice)))
	if err != nil {
		t.Fatalf("add passkey: %v", err)
	}
	d.kept = added
	d.kept.ID = "crd_1"
}

// find knows the one passkey of the desk.
func (d *desk) find(_ context.Context, handle string) (storage.Passkey, storage.User, error) {
	if handle != d.kept.Handle {
		return storage.Passkey{}, storage.User{}, storage.ErrNotFound
	}
	return d.kept, d.user, nil
}

func (d *desk) signIn(t testing.TB, a *passkeytest.Authenticator, change ...func(*passkeytest.Answer)) (passkey.Checked, error) {
	t.Helper()
	challenge, opened := d.begin(t, signing)
	return d.CheckSignIn(t.Context(), opened, []byte(a.Get(t, challenge.Text, change...)), d.find)
}

func wantRefused(t *testing.T, what string, err error, code string) {
	t.Helper()
	if !errors.Is(err, passkey.ErrRefused) || web.CauseOf(err) != code {
		t.Errorf("%s: %v, cause %q, want %q", what, err, web.CauseOf(err), code)
	}
}

// A passkey that was added signs its user in, and the record says what its authenticator said.
func TestPasskeys_AddedOneSignsIn(t *testing.T) {
	d := open(t)
	a := passkeytest.New(t, issuer)
	a.Counts, a.AAGUID = true, [16]byte{1, 2, 3}
	d.add(t, a)
	if d.kept.RPID != "id.example.com" {
		t.Errorf("RP ID %q", d.kept.RPID)
	}
	detail := d.kept.Detail
	if detail.AAGUID != "01020300-0000-0000-0000-000000000000" || !detail.BackupEligible || !detail.BackedUp || strings.Join(detail.Transports, " ") != "internal hybrid" {
		t.Errorf("detail %+v", detail)
	}
	checked, err := d.signIn(t, a)
	if err != nil {
		t.Fatal(err)
	}
	if u := checked.Use; checked.User.ID != alice || u.PasskeyID != "crd_1" || u.Counter != 1 || !u.BackedUp || u.Until <= storage.At(d.at) {
		t.Errorf("use %+v of %s", u, checked.User.ID)
	}
}

// A new passkey has the name of its maker, so that people can tell their passkeys apart. One of an
// unknown maker, or of one that does not tell, has no name.
func TestPasskeys_NewOneIsNamedAfterItsMaker(t *testing.T) {
	for aaguid, want := range map[string]string{
		"ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4": "Google Password Manager",
		"FBFC3007-154E-4ECC-8C0B-6E020557D7BD": "Apple Passwords",
		"0076631b-d4a0-427f-5773-0ec71c9e0279": "HYPR FIDO2 Authenticator", // the first line of the list
		"01020300-0000-0000-0000-000000000000": "",
		"00000000-0000-0000-0000-000000000000": "",
	} {
		d := open(t)
		a := passkeytest.New(t, issuer)
		a.AAGUID = uuid.MustParse(aaguid)
		d.add(t, a)
		if d.kept.Name != want {
			t.Errorf("%s: %q, want %q", aaguid, d.kept.Name, want)
		}
	}
}

// The list is sorted by AAGUID, and each name suits the field in which people rename their keys.
func TestMakerList_HasOneNameForEachModel(t *testing.T) {
	models, previous := 0, ""
	for line := range strings.Lines(passkey.MakerList) {
		aaguid, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if parsed, err := uuid.Parse(aaguid); err != nil || parsed.String() != aaguid || aaguid <= previous {
			t.Errorf("%q after %q", aaguid, previous)
		}
		if name == "" || name != strings.TrimSpace(name) || utf8.RuneCountInString(name) > 64 {
			t.Errorf("%s: name %q", aaguid, name)
		}
		models, previous = models+1, aaguid
	}
	if models < 300 {
		t.Errorf("%d models", models)
	}
}

// The embedded list must have the licence of its source beside it.
func TestMakerList_NoticeNamesItsSource(t *testing.T) {
	program, err := os.ReadFile("makerlist.go")
	if err != nil {
		t.Fatal(err)
	}
	source := regexp.MustCompile(`source\s+= "(.*)@(.*)"`).FindSubmatch(program)
	if source == nil {
		t.Fatal("makerlist.go names no source")
	}
	for _, file := range []string{"../../NOTICE", "../../deploy/debian/copyright"} {
		notice, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(notice), "provider/passkey/makers.txt") {
			t.Errorf("%s does not name the list", file)
		}
		if want := fmt.Sprintf("%s %s", source[1], source[2]); file == "../../NOTICE" && !strings.Contains(string(notice), want) {
			t.Errorf("%s does not name %s", file, want)
		}
	}
}

// MF-10: a challenge is for one purpose, browser, request and user, and expires after half an hour.
func TestChallenge_IsBoundToItsPage(t *testing.T) {
	d := open(t)
	challenge, err := d.Begin(signing)
	if err != nil {
		t.Fatal(err)
	}
	other, err := d.Begin(signing)
	if err != nil || other.Text == challenge.Text {
		t.Fatalf("two challenges are equal, %v", err)
	}
	for code, change := range map[string]func(c *passkey.Ceremony){
		"challenge_of_other_purpose": func(c *passkey.Ceremony) { c.Purpose = passkey.Add },
		"challenge_of_other_browser": func(c *passkey.Ceremony) { c.Browser = "another" },
		"challenge_of_other_request": func(c *passkey.Ceremony) { c.Request = "another" },
		"challenge_of_other_user":    func(c *passkey.Ceremony) { c.UserID = alice },
	} {
		want := signing
		change(&want)
		if _, err := d.Open(challenge.Sealed, want); !errors.Is(err, passkey.ErrStale) || web.CauseOf(err) != code {
			t.Errorf("%s: %v", code, err)
		}
	}
	nobody, err := d.Begin(passkey.Ceremony{Purpose: passkey.SignIn})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(nobody.Sealed, passkey.Ceremony{Purpose: passkey.SignIn}); web.CauseOf(err) != "challenge_of_other_browser" {
		t.Errorf("a browser without its cookie: %v", err)
	}
	if _, err := d.Open(d.node.SealedMessage(t, "ticket"), signing); web.CauseOf(err) != "challenge_invalid" {
		t.Errorf("another sealed message: %v", err)
	}
	d.at = d.at.Add(30 * time.Minute)
	if _, err := d.Open(challenge.Sealed, signing); web.CauseOf(err) != "challenge_expired" {
		t.Errorf("after half an hour: %v", err)
	}
}

// MF-10 and MF-11: an assertion of another challenge, origin, RP ID, user or purpose is refused, and
// so is one that the passkey has not signed or in which it has not verified its user.
func TestPasskeys_WrongAssertionIsRefused(t *testing.T) {
	d := open(t)
	a := passkeytest.New(t, issuer)
	d.add(t, a)
	stranger := passkeytest.New(t, issuer)
	stranger.Create(t, "any", alice)
	set := func(name string, value any) func(*passkeytest.Answer) {
		return func(answer *passkeytest.Answer) { answer.ClientData[name] = value }
	}
	for _, c := range []struct {
		what, code string
		change     func(*passkeytest.Answer)
	}{
		{"another challenge", "passkey_challenge", set("challenge", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")},
		{"no challenge", "passkey_challenge", set("challenge", "")},
		{"another kind", "passkey_of_other_kind", set("type", "webauthn.create")},
		{"a host with the same end", "passkey_origin", set("origin", "https://badid.example.com")},
		{"a subdomain", "passkey_origin", set("origin", "https://x.id.example.com")},
		{"the parent", "passkey_origin", set("origin", "https://example.com")},
		{"another port", "passkey_origin", set("origin", "https://id.example.com:8443")},
		{"no TLS", "passkey_origin", set("origin", "http://id.example.com")},
		{"a path", "passkey_origin", set("origin", "https://id.example.com/auth")},
		{"upper case", "passkey_origin", set("origin", "https://ID.example.com")},
		{"an app", "passkey_origin", set("origin", "android:apk-key-hash:AAAA")},
		{"a frame", "passkey_framed", set("crossOrigin", true)},
		{"a frame in a page", "passkey_framed", set("topOrigin", "https://evil.example")},
		{"another RP ID", "passkey_rp_id", func(a *passkeytest.Answer) { a.RPID = "example.com" }},
		{"RP ID with a suffix", "passkey_rp_id", func(a *passkeytest.Answer) { a.RPID = "id.example.com.evil.example" }},
		{"no user verification", "passkey_unverified", func(a *passkeytest.Answer) { a.Flags &^= passkeytest.Verified }},
		{"no user presence", "passkey_unverified", func(a *passkeytest.Answer) { a.Flags &^= passkeytest.Present }},
		{"unknown passkey", "passkey_unknown", func(a *passkeytest.Answer) { a.CredID = stranger.Keys[0].ID }},
		{"another key", "passkey_signature", func(a *passkeytest.Answer) { a.Key = stranger.Keys[0] }},
		{"another user", "passkey_of_other_user", func(a *passkeytest.Answer) { a.UserHandle = []byte("usr_mallory") }},
		{"no user", "passkey_of_other_user", func(a *passkeytest.Answer) { a.UserHandle = nil }},
		{"backup eligible no more", "passkey_backup_changed", func(a *passkeytest.Answer) { a.Flags &^= passkeytest.BackupEligible | passkeytest.BackedUp }},
		{"no signature", "passkey_signature", func(a *passkeytest.Answer) { a.Signature = func([]byte) []byte { return nil } }},
		{"a longer signature", "passkey_signature", func(a *passkeytest.Answer) {
			a.Signature = func(s []byte) []byte { return append(bytes.Clone(s), 0) }
		}},
		{"another type", "passkey_malformed", func(a *passkeytest.Answer) { a.Type = "password" }},
		{"a long credential ID", "passkey_malformed", func(a *passkeytest.Answer) { a.CredID = make([]byte, 1024) }},
	} {
		_, err := d.signIn(t, a, c.change)
		wantRefused(t, c.what, err, c.code)
	}
	for what, text := range map[string]string{"empty": "", "no JSON": "{", "an array": "[]", "too long": strings.Repeat(" ", passkey.MaxAnswer+1)} {
		_, opened := d.begin(t, signing)
		_, err := d.CheckSignIn(t.Context(), opened, []byte(text), d.find)
		wantRefused(t, what, err, "passkey_malformed")
	}
	d.user.DisabledAt = 1
	_, err := d.signIn(t, a)
	wantRefused(t, "a disabled user", err, "user_disabled")
	d.user.DisabledAt = 0
	if _, err := d.signIn(t, a); err != nil {
		t.Errorf("after all these: %v", err)
	}
}

// A signature of another part of the protocol does not count: an assertion is no new passkey, and
// a new passkey is no assertion.
func TestPasskeys_AnswerOfOtherCeremonyIsRefused(t *testing.T) {
	d := open(t)
	a := passkeytest.New(t, issuer)
	d.add(t, a)
	challenge, opened := d.begin(t, adding)
	_, err := d.CheckNew(opened, alice, []byte(a.Get(t, challenge.Text)))
	wantRefused(t, "an assertion", err, "passkey_malformed")
	challenge, opened = d.begin(t, signing)
	_, err = d.CheckSignIn(t.Context(), opened, []byte(a.Create(t, challenge.Text, alice)), d.find)
	wantRefused(t, "a new passkey", err, "passkey_malformed")
}

// MF-10: a challenge for one purpose opens no other one.
func TestChallenge_IsForOnePurpose(t *testing.T) {
	d := open(t)
	purposes := []passkey.Purpose{passkey.SignIn, passkey.SecondFactor, passkey.Add, passkey.AddByLink, passkey.AddByItself, passkey.AddKey}
	for _, made := range purposes {
		c := passkey.Ceremony{Purpose: made, Browser: "browser", Request: "request", UserID: alice}
		challenge, err := d.Begin(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, c.Purpose = range purposes {
			_, err := d.Open(challenge.Sealed, c)
			if made == c.Purpose && err != nil || made != c.Purpose && web.CauseOf(err) != "challenge_of_other_purpose" {
				t.Errorf("a challenge for %q is opened for %q: %v", made, c.Purpose, err)
			}
		}
	}
}

// MF-10 and MF-11: a new passkey or security key with a wrong challenge, origin, RP ID, algorithm or
// attestation is refused.
func TestPasskeys_WrongNewOneIsRefused(t *testing.T) {
	d := open(t)
	for _, c := range []struct {
		what, code string
		change     func(*passkeytest.Answer)
	}{
		{"another challenge", "passkey_challenge", func(a *passkeytest.Answer) { a.ClientData["challenge"] = "AAAA" }},
		{"another kind", "passkey_of_other_kind", func(a *passkeytest.Answer) { a.ClientData["type"] = "webauthn.get" }},
		{"another origin", "passkey_origin", func(a *passkeytest.Answer) { a.ClientData["origin"] = "https://evil.example" }},
		{"a frame", "passkey_framed", func(a *passkeytest.Answer) { a.ClientData["crossOrigin"] = true }},
		{"another RP ID", "passkey_rp_id", func(a *passkeytest.Answer) { a.RPID = "evil.example" }},
		{"no user verification", "passkey_unverified", func(a *passkeytest.Answer) { a.Flags &^= passkeytest.Verified }},
		{"algorithm none", "passkey_signature", func(a *passkeytest.Answer) { a.Algorithm = 0 }},
		{"an algorithm that was not offered", "passkey_signature", func(a *passkeytest.Answer) { a.Algorithm = -47 }},
		{"RSA with SHA-1", "passkey_signature", func(a *passkeytest.Answer) { a.Algorithm = -65535 }},
		{"an attestation that was not asked for", "passkey_attestation", func(a *passkeytest.Answer) { a.Format = "fido-u2f" }},
		{"an unknown attestation", "passkey_attestation", func(a *passkeytest.Answer) { a.Format = "x" }},
		{"a statement without attestation", "passkey_signature", func(a *passkeytest.Answer) {
			a.Statement = passkeytest.Map(passkeytest.Text("sig"), passkeytest.Bytes([]byte{1}))
		}},
		{"backed up but not eligible", "passkey_signature", func(a *passkeytest.Answer) { a.Flags &^= passkeytest.BackupEligible }},
		{"no credential ID", "passkey_malformed", func(a *passkeytest.Answer) { a.CredID = nil }},
		{"a long credential ID", "passkey_malformed", func(a *passkeytest.Answer) { a.CredID = make([]byte, 1024) }},
	} {
		challenge, opened := d.begin(t, adding)
		_, err := d.CheckNew(opened, alice, []byte(passkeytest.New(t, issuer).Create(t, challenge.Text, alice, c.change)))
		wantRefused(t, c.what, err, c.code)
		challenge, opened = d.begin(t, addingKey)
		_, err = d.CheckNewKey(opened, alice, []byte(passkeytest.New(t, issuer).Create(t, challenge.Text, alice, c.change)))
		if c.what == "no user verification" { // a security key is the second proof
			if err != nil {
				t.Errorf("a security key without user verification: %v", err)
			}
			continue
		}
		wantRefused(t, "a security key: "+c.what, err, c.code)
	}
}

// A counter that does not grow is a sign of a copied key; authenticators that do not count are
// none.
func TestChecked_IsSuspectIfCounterDoesNotGrow(t *testing.T) {
	for _, c := range []struct {
		stored, sent int64
		want         bool
	}{{0, 0, false}, {0, 1, false}, {5, 6, false}, {5, 5, true}, {5, 4, true}, {5, 0, true}} {
		got := passkey.Checked{Passkey: storage.Passkey{Counter: c.stored}, Use: storage.PasskeyUse{Counter: c.sent}}.IsSuspect()
		if got != c.want {
			t.Errorf("stored %d, sent %d: %v", c.stored, c.sent, got)
		}
	}
}

// Browsers make no passkeys for an IP address or without TLS, so passkeys are not offered there.
func TestPasskeys_AreOfferedOnlyAtHostWithTLS(t *testing.T) {
	d := open(t)
	for issuer, rpID := range map[string]string{
		"https://id.example.com": "id.example.com", "https://ID.Example.com:8443/auth": "id.example.com", "http://localhost:8080": "localhost", "https://localhost": "localhost",
		"http://a.localhost": "a.localhost", "http://id.example.com": "", "http://127.0.0.1:8080": "", "https://192.0.2.1": "", "https://[2001:db8::1]": "", "http://[::1]:8080": "",
	} {
		if p := d.passkeys(t, issuer); p.RPID() != rpID || p.Offered() != (rpID != "") {
			t.Errorf("%s: RP ID %q, want %q", issuer, p.RPID(), rpID)
		}
	}
	// A parent domain of the host is accepted, and nothing else.
	for chosen, rpID := range map[string]string{
		"": "id.example.com", "id.example.com": "id.example.com", "example.com": "example.com", "ample.com": "id.example.com", "other.example": "id.example.com", "a.id.example.com": "id.example.com",
	} {
		if got := passkey.RPID(&url.URL{Scheme: "https", Host: "id.example.com:8443"}, chosen); got != rpID {
			t.Errorf("chosen %q: RP ID %q, want %q", chosen, got, rpID)
		}
	}
	if got := passkey.RPID(&url.URL{Scheme: "https", Host: "192.0.2.1"}, "2.1"); got != "" {
		t.Errorf("an IP address: RP ID %q", got)
	}
	none := d.passkeys(t, "http://127.0.0.1")
	_, opened := d.begin(t, signing)
	_, err := none.CheckSignIn(t.Context(), opened, nil, d.find)
	wantRefused(t, "sign-in", err, "passkeys_not_offered")
	_, err = none.CheckNew(opened, alice, nil)
	wantRefused(t, "add", err, "passkeys_not_offered")
}

// FuzzCheckSignIn shows that no answer that the passkey did not sign is accepted, and that none
// stops the program.
func FuzzCheckSignIn(f *testing.F) {
	d := open(f)
	a := passkeytest.New(f, issuer)
	d.add(f, a)
	challenge, opened := d.begin(f, signing)
	valid := a.Get(f, challenge.Text)
	f.Add([]byte(valid))
	f.Add([]byte(a.Get(f, challenge.Text, func(a *passkeytest.Answer) { a.Flags |= 1<<6 | 1<<7 })))
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		_, err := d.CheckSignIn(t.Context(), opened, answer, d.find)
		if err == nil && !signs(t, answer, valid) {
			t.Errorf("accepted %q", answer)
		}
		if err != nil && !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("%q: %v", answer, err)
		}
	})
}

// signs reports whether the answer has the signature and the signed parts of the valid answer.
func signs(t *testing.T, answer []byte, valid string) bool {
	var got, want struct {
		Response struct{ ClientDataJSON, AuthenticatorData, Signature string }
	}
	if err := errors.Join(json.Unmarshal(answer, &got), json.Unmarshal([]byte(valid), &want)); err != nil {
		t.Fatal(err)
	}
	trim := func(s string) string {
		return strings.TrimRight(strings.NewReplacer("\n", "", "\r", "").Replace(s), "=")
	}
	return trim(got.Response.ClientDataJSON) == want.Response.ClientDataJSON && trim(got.Response.AuthenticatorData) == want.Response.AuthenticatorData
}

// FuzzCheckNew shows that no answer stops the program, and that a passkey that is accepted can be
// stored.
func FuzzCheckNew(f *testing.F) {
	d := open(f)
	challenge, opened := d.begin(f, adding)
	f.Add([]byte(passkeytest.New(f, issuer).Create(f, challenge.Text, alice)))
	f.Add([]byte(passkeytest.New(f, issuer).Create(f, challenge.Text, alice, func(a *passkeytest.Answer) { a.Format = "packed" })))
	f.Add([]byte(passkeytest.New(f, issuer).Create(f, challenge.Text, alice, func(a *passkeytest.Answer) { a.Algorithm = -8 })))
	f.Fuzz(func(t *testing.T, answer []byte) {
		p, err := d.CheckNew(opened, alice, answer)
		if err == nil && (p.Handle == "" || len(p.Handle) > 1364 || len(p.PublicKey) == 0) {
			t.Errorf("accepted %+v", p)
		}
		if err != nil && !errors.Is(err, passkey.ErrRefused) {
			t.Errorf("%q: %v", answer, err)
		}
	})
}
