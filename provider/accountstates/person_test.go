package accountstates_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/federation/federationtest"
	"signet/provider"
	"signet/provider/credential"
	"signet/provider/link"
	"signet/provider/mail/mailtest"
	"signet/provider/passkey/passkeytest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// place is a running instance, with an upstream, and a mail server if it sends mails.
type place struct {
	*providertest.Testbed
	upstreams *providertest.Upstreams
	mails     *mailtest.Server // nil: it sends none
	inbox     []mailtest.Mail  // all mails that were sent
	app       *providertest.Testbed
	persons   int
}

// open starts an instance. Its client needs no consent.
func open(t *testing.T, backend storagetest.Backend, mails bool) *place {
	t.Helper()
	p := &place{}
	var upstreams providertest.Option
	p.upstreams, upstreams = providertest.WithUpstreams(t)
	options := []providertest.Option{providertest.WithLocalhost, providertest.WithTrustedBrowsers, upstreams, func(c *provider.Config) {
		c.RateLimits = credential.Limits{Account: 100_000, Network: 100_000}
	}}
	if mails {
		p.mails = mailtest.Start(t)
		options = append(options, providertest.WithMail(p.mails))
	} else {
		backend = backend.WithoutMails()
	}
	p.Testbed = providertest.StartOn(t, backend, options...)
	p.app = p.AsClient(p.RegisterWith(t, storage.Web, "walked", func(c *storage.Client) {
		c.Metadata.RedirectURIs, c.SkipConsent = []string{providertest.Callback}, true
		c.Metadata.Scope = "openid offline_access"
	}))
	p.Follow(t)
	return p
}

// person is the owner of an account, with everything that opens it.
type person struct {
	*place
	id, email string
	subject   string // at the upstream
	born      account
	password  string
	passkeys  map[string]*passkeytest.Authenticator // by ID of the passkey
	phone     providertest.Authenticator
	keys      map[string]*passkeytest.Authenticator // by ID of the security key
	trusted   *providertest.Visitor                 // the browser that the person trusts
	count     int                                   // of the passwords and addresses that the person has had
	removed   string                                // ID of the passkey that was removed last
	addresses []string
	undo      string  // the link in the mail to the former address
	before    *person // the person before the change of the address; nil: no change can be undone
}

// person creates an account in one of the states of births.
func (p *place) person(t *testing.T, born account) *person {
	t.Helper()
	p.persons++
	n := p.persons
	o := &person{
		place: p, born: born, email: fmt.Sprintf("person-%d@example.com", n), subject: fmt.Sprintf("person-%d", n),
		password: providertest.Password, passkeys: map[string]*passkeytest.Authenticator{}, keys: map[string]*passkeytest.Authenticator{},
	}
	o.addresses = []string{o.email}
	if !born.Upstream {
		o.id = p.CreateUser(t, storage.User{Email: o.email, EmailVerified: born.Proven}, o.password).ID
		return o
	}
	v := p.Visitor(t)
	code := o.arrive(t, v, v.Get(t, p.app.AuthorizeURL())).Code(t)
	o.id = providertest.ClaimsOf(t, p.app.Redeem(t, code)["id_token"])["sub"].(string)
	return o
}

// arrive signs in through the upstream, which says that the person has just authenticated there.
func (o *person) arrive(t *testing.T, v *providertest.Visitor, page providertest.Stop) providertest.Stop {
	t.Helper()
	o.speakAtUpstream()
	return v.SignInThrough(t, page, "liar", "victim")
}

// speakAtUpstream makes the only account of the upstream that of this person.
func (o *person) speakAtUpstream() {
	email := o.subject + "@corp.example"
	if o.born.Upstream && o.born.Proven {
		email = o.addresses[0]
	}
	claims := map[string]any{"sub": o.subject, "email": email, "auth_time": o.Now().Unix()}
	if o.born.NoAddress {
		claims["email_verified"] = false
	}
	o.upstreams.Liar.SetFaults(federationtest.Faults{Claims: claims})
}

// state reads the state of the account.
func (o *person) state(t *testing.T) account {
	t.Helper()
	u, err := o.DB.User(t.Context(), o.id)
	if err != nil {
		t.Fatal(err)
	}
	ways, err := o.DB.SignInMethodsOf(t.Context(), o.id)
	if err != nil {
		t.Fatal(err)
	}
	factors, err := o.DB.SecondFactorsOf(t.Context(), o.id)
	if err != nil {
		t.Fatal(err)
	}
	browsers, err := o.DB.TrustedBrowsersOf(t.Context(), o.id, o.Now())
	if err != nil {
		t.Fatal(err)
	}
	address, err := o.DB.EnrolmentAddressOf(t.Context(), o.id, o.Now())
	if err != nil {
		t.Fatal(err)
	}
	return account{
		Former: former{Pending: address.FormerUntil != 0},
		Mails:  o.mails != nil, NoAddress: u.Email == "", Proven: u.EmailVerified, Password: ways.Password,
		Weak: ways.Passkeys - ways.ProvenPasskeys, Strong: ways.ProvenPasskeys, App: ways.TOTP, Key: ways.SecurityKeys > 0,
		Codes: len(factors.Codes) > 0, Upstream: len(ways.Connectors) > 0, Always: u.AlwaysAskAt != 0, Trusted: len(browsers) > 0,
	}
}

// passkey returns the ID of one of the person's passkeys of this kind.
func (o *person) passkey(t *testing.T, kind string) string {
	t.Helper()
	list := o.PasskeysOf(t, o.id)
	at := slices.IndexFunc(list, func(p storage.Passkey) bool { return (p.ProvenAt != 0) == (kind == strong) })
	if at < 0 {
		t.Fatalf("there is no %s", kind)
	}
	return list[at].ID
}

// browser returns a browser that is signed out: a new one, or the trusted one.
func (o *person) browser(t *testing.T, second string) *providertest.Visitor {
	t.Helper()
	v := o.Visitor(t)
	if second == trusted {
		for _, name := range []string{"signet_device", "signet_trust"} {
			v.SetCookie(name, o.trusted.Cookie(t, name).Value)
		}
	}
	return v
}

// signIn signs in on the page with a way and, if asked, with a second factor. trust says whether the
// browser is trusted then.
func (o *person) signIn(t *testing.T, v *providertest.Visitor, page providertest.Stop, way, second string, trust ...string) providertest.Stop {
	t.Helper()
	switch way {
	case password:
		page = v.SignIn(t, page, o.email, o.password)
	case upstream:
		page = o.arrive(t, v, page)
	default:
		page = v.UsePasskey(t, page, o.passkeys[o.passkey(t, way)])
	}
	if page.At.Path != "/login/factor" || second == none || second == trusted {
		return page
	}
	switch second {
	case key, strong:
		var device *passkeytest.Authenticator
		if second == key {
			device = o.keys[o.key(t)]
		} else {
			device = o.passkeys[o.passkey(t, strong)]
		}
		f, data := page.PasskeyForm(t)
		return v.Submit(t, f, append([]string{"credential", device.Get(t, data["challenge"])}, trust...)...)
	case code:
		if strings.Contains(page.Body, `id="switch"`) {
			page = v.Get(t, page.Link(t, "switch"))
		}
		return o.enter(t, v, page, o.nextCode(), trust)
	}
	o.Advance(30 * time.Second) // the app shows a code that was not used yet
	return o.enter(t, v, page, o.phone.Code(t, o.Now()), trust)
}

// enter enters a code on the page that asks for it.
func (o *person) enter(t *testing.T, v *providertest.Visitor, page providertest.Stop, code string, more []string) providertest.Stop {
	t.Helper()
	return v.Submit(t, page.FormTo(t, "/login/factor", "", ""), append([]string{"code", code}, more...)...)
}

// nextCode strikes a recovery code off the list and returns it.
func (o *person) nextCode() string {
	used := o.phone.Codes[0]
	for p := o; p != nil; p = p.before { // no undo makes it valid again
		p.phone.Codes = slices.DeleteFunc(slices.Clone(p.phone.Codes), func(c string) bool { return c == used })
	}
	return used
}

// key returns the ID of the security key.
func (o *person) key(t *testing.T) string {
	t.Helper()
	factors, err := o.DB.SecondFactorsOf(t.Context(), o.id)
	if err != nil || len(factors.Keys) == 0 {
		t.Fatalf("no security key: %v", err)
	}
	return factors.Keys[0].ID
}

// witness is a session, opened with one of the ways in, and its offline grant.
type witness struct {
	way     string
	second  string
	passkey string // ID of the one that opened it, or that came after the password; "": none
	browser *providertest.Visitor
	tokens  map[string]any
}

// witnesses opens a session with each way in, and one in the trusted browser. Sign-ins with a weak
// passkey of an account that asks for a second factor would make it a strong one, so they are left out.
func (o *person) witnesses(t *testing.T, a account) (list []witness) {
	t.Helper()
	for _, way := range a.waysIn() {
		second := none
		if a.asks() && way != strong {
			second = a.factors()[0]
		}
		if way != weak || second == none {
			list = append(list, o.witness(t, way, second))
		}
	}
	if a.Trusted && a.Password {
		list = append(list, o.witness(t, password, trusted))
	}
	return list
}

// witness opens a session.
func (o *person) witness(t *testing.T, way, second string) witness {
	t.Helper()
	w := witness{way: way, second: second, browser: o.browser(t, second)}
	switch {
	case way == weak || way == strong:
		w.passkey = o.passkey(t, way)
	case way == password && second == strong:
		w.passkey = o.passkey(t, strong)
	}
	page := o.signIn(t, w.browser, w.browser.Get(t, o.app.AuthorizeURL("scope", "openid offline_access")), way, second)
	w.tokens = o.app.Redeem(t, page.Code(t))
	return w
}

// endsWith reports whether the session must end, see outcome.Ends.
func (w witness) endsWith(ends, removed string) bool {
	switch {
	case ends == everyone:
		return true
	case ends == weak || ends == strong:
		if w.way == upstream { // the session does not tell which key it was
			return w.second == key || w.second == strong
		}
		return w.passkey == removed
	case ends == trusted:
		return w.second == trusted
	}
	return w.way == ends
}

// lives reports whether session and grant live. They must agree.
func (w witness) lives(t *testing.T, o *person) bool {
	t.Helper()
	session := w.browser.Get(t, o.Issuer+"/account").At.Path == "/account"
	if grant := providertest.IsActive(t, o.app, w.tokens["access_token"].(string)); grant != session {
		t.Errorf("opened with %s and %q: the session lives: %t, the grant: %t", w.way, w.second, session, grant)
	}
	return session
}

// act does an act on the pages of the account. It returns the page after it, or the page that refuses.
// asked says whether a mailed link came first.
func (o *person) act(t *testing.T, v *providertest.Visitor, name string) (page providertest.Stop, asked bool) {
	t.Helper()
	switch name {
	case changePassword:
		page = v.Get(t, o.Issuer+"/account/password")
		if asksForProof(page) {
			return page, false
		}
		wanted := o.nextPassword()
		page = v.Submit(t, page.FormTo(t, "/account/password", "", ""), "current-password", o.password, "new-password", wanted)
		if resultOf(page) == done {
			o.password = wanted
		}
	case addApp:
		page, asked = o.proveFirst(t, v, v.Get(t, o.Issuer+"/account/security/totp"))
		if !strings.Contains(page.Body, `id="secret"`) {
			return page, asked
		}
		phone := providertest.Authenticator{Secret: providertest.SecretOn(t, page)}
		page = v.Submit(t, page.FormTo(t, "/account/security/totp", "", ""), "code", phone.Code(t, o.Now()))
		if resultOf(page) == done {
			o.phone.Secret = phone.Secret
			o.writeDown(page)
		}
	case addPasskey:
		page, asked = o.proveFirst(t, v, v.Get(t, o.Issuer+"/account/passkeys/add"))
		if strings.Contains(page.Body, "data-passkey=") && page.At.Path == "/account/passkeys/add" {
			page = o.addPasskey(t, v, page)
			o.writeDown(page)
		}
	case addKey:
		page, asked = o.proveFirst(t, v, v.Get(t, o.Issuer+"/account/security/keys/add"))
		if strings.Contains(page.Body, "data-passkey=") && page.At.Path == "/account/security/keys/add" {
			device := o.SecurityKey(t)
			f, data := page.PasskeyForm(t)
			page = v.Submit(t, f, "credential", device.Create(t, data["challenge"], ""))
			if resultOf(page) == done {
				o.keys[o.key(t)] = device
				o.writeDown(page)
			}
		}
	case alwaysAsk, askLess:
		page = o.confirm(t, v, v.Get(t, o.Issuer+"/account/security/always-ask"), "/account/security/always-ask")
		o.writeDown(page)
	case endTrust:
		page = v.Get(t, o.Issuer+"/account/sessions")
		browsers, err := o.DB.TrustedBrowsersOf(t.Context(), o.id, o.Now())
		if err != nil || len(browsers) != 1 {
			t.Fatalf("%d trusted browsers, %v", len(browsers), err)
		}
		f := page.FormTo(t, "/account/sessions/end-trust", "browser", browsers[0].ID)
		page = v.Submit(t, f, "browser", browsers[0].ID)
	case connect:
		page = v.Get(t, o.Issuer+"/account/identities")
		o.speakAtUpstream()
		page = v.Submit(t, page.FormTo(t, "/account/identities/link", "connector", "liar"))
		if page.LeftTo != nil {
			page = v.Get(t, v.ChooseAccount(t, page.LeftTo, "victim"))
		}
	case removeApp:
		page = o.confirm(t, v, v.Get(t, o.Issuer+"/account/security/totp/remove"), "/account/security/totp/remove")
	case removeKey:
		page = v.Get(t, o.Issuer+"/account/security/keys/remove?key="+o.key(t))
		page = o.confirm(t, v, page, "/account/security/keys/remove")
	case removeWeak, removeStrong:
		kind := weak
		if name == removeStrong {
			kind = strong
		}
		list := v.Get(t, o.Issuer+"/account/passkeys")
		o.removed = o.passkey(t, kind)
		f := list.FormTo(t, "/account/passkeys/remove", "passkey", o.removed)
		page = o.confirm(t, v, v.Get(t, f.Action+"?"+f.Values.Encode()), "/account/passkeys/remove")
	case disconnect:
		page = v.Submit(t, v.Get(t, o.Issuer+"/account/identities").UnlinkForms(t)[0])
	case replaceCodes:
		page = o.confirm(t, v, v.Get(t, o.Issuer+"/account/security/codes"), "/account/security/codes")
		o.writeDown(page)
	case proveAddress:
		v.Submit(t, v.Get(t, o.Issuer+"/account/email").FormTo(t, "/account/email/verify", "", ""))
		page = v.Get(t, o.linkInNewest(t, "Verify your email address"))
		if asksForProof(page) {
			return page, false
		}
		page = v.Submit(t, page.FormTo(t, "/link/verify", "", ""), "act", "verify")
	case giveAddress, changeAddress, changeForGood:
		page = o.changeAddress(t, v, name)
	default:
		t.Fatalf("no act %q", name)
	}
	return page, asked
}

// changeAddress changes the address, or gives the account one. The former address gets a mail, with a link
// that undoes the change.
func (o *person) changeAddress(t *testing.T, v *providertest.Visitor, name string) providertest.Stop {
	t.Helper()
	page := v.Get(t, o.Issuer+"/account/email/change")
	if asksForProof(page) {
		return page
	}
	o.count++
	wanted, final := fmt.Sprintf("%s-%d@example.com", o.subject, o.count), ""
	if name == changeForGood {
		final = "on"
	}
	page = v.Submit(t, page.FormTo(t, "/account/email/change", "", ""), "email", wanted, "final", final)
	if asksForProof(page) {
		return page
	}
	page.WantAt(t, "/account/email?done=mail-new")
	link := o.linkTo(t, wanted, "Confirm your new email address")
	page = v.Submit(t, v.Get(t, link).FormTo(t, "/link/verify", "", ""), "act", "verify")
	if resultOf(page) != done {
		return page
	}
	if name == changeAddress {
		before := *o
		o.before, o.undo = &before, o.linkTo(t, o.email, "The address of your account was changed")
	}
	o.email = wanted
	o.addresses = append(o.addresses, wanted)
	return page
}

// confirm presses the button of the page that asks once more. Without that button, it returns the page.
func (o *person) confirm(t *testing.T, v *providertest.Visitor, page providertest.Stop, path string) providertest.Stop {
	t.Helper()
	if page.At.Path != path || page.StatusCode != http.StatusOK {
		return page
	}
	return v.Submit(t, page.FormTo(t, path, "", ""))
}

// proveFirst opens the mailed link that comes before the first factor, if the page asks for it.
func (o *person) proveFirst(t *testing.T, v *providertest.Visitor, page providertest.Stop) (after providertest.Stop, asked bool) {
	t.Helper()
	if page.At.Path != "/account/security/proof" {
		return page, false
	}
	sent := v.Submit(t, page.FormTo(t, "/account/security/proof", "", ""))
	sent.WantText(t, `id="sent"`)
	address := o.email
	if o.before != nil { // the present one may be that of a thief
		address = o.before.email
	}
	link := v.Get(t, o.linkTo(t, address, providertest.EnrolmentSubject))
	return v.Submit(t, link.FormTo(t, "/link/enrol", "", ""), "act", "confirm"), true
}

func (o *person) addPasskey(t *testing.T, v *providertest.Visitor, page providertest.Stop) providertest.Stop {
	t.Helper()
	f, data := page.PasskeyForm(t)
	user, err := base64.RawURLEncoding.DecodeString(data["user"])
	if err != nil {
		t.Fatal(err)
	}
	before := map[string]bool{}
	for _, p := range o.PasskeysOf(t, o.id) {
		before[p.ID] = true
	}
	device := o.Authenticator(t)
	page = v.Submit(t, f, "credential", device.Create(t, data["challenge"], string(user)))
	for _, p := range o.PasskeysOf(t, o.id) {
		if !before[p.ID] {
			o.passkeys[p.ID] = device
		}
	}
	return page
}

// writeDown keeps the recovery codes that the page shows, if it shows any.
func (o *person) writeDown(page providertest.Stop) {
	if codes := providertest.CodesOn(page); len(codes) > 0 {
		o.phone.Codes = codes
	}
}

// refill makes new recovery codes, so that the last one is not used: the model does not count them. A
// weak passkey is left out, because the sign-in would make it a strong one. The codes end the trust, so
// a browser is trusted anew.
func (o *person) refill(t *testing.T, a account) {
	t.Helper()
	for _, way := range a.waysIn() {
		if way == weak || way != strong && !a.asks() {
			continue
		}
		v := o.Visitor(t)
		o.signIn(t, v, v.Get(t, o.app.AuthorizeURL()), way, a.factors()[0]).Code(t)
		o.act(t, v, replaceCodes)
		if a.Trusted {
			o.trusted = o.Visitor(t)
			o.signIn(t, o.trusted, o.trusted.Get(t, o.app.AuthorizeURL()), a.waysIn()[0], a.factors()[0], "trust", "on").Code(t)
		}
		return
	}
}

func (o *person) nextPassword() string {
	o.count++
	return fmt.Sprintf("%s %d", providertest.NewPassword, o.count)
}

// linkInNewest returns the link in the newest mail to the person with this subject.
func (o *person) linkInNewest(t *testing.T, subject string) string {
	t.Helper()
	return o.linkTo(t, o.email, subject)
}

// linkTo returns the link in the newest mail to an address with this subject.
func (o *person) linkTo(t *testing.T, to, subject string) string {
	t.Helper()
	o.sendMails(t)
	for _, m := range slices.Backward(o.inbox) {
		if m.To[0] == to && m.Subject() == subject {
			address, _ := providertest.LinkIn(t, m)
			o.forward(t, address, subject)
			return address
		}
	}
	t.Fatalf("no mail %q to %s", subject, to)
	return ""
}

// forward opens a mailed link in the browser of another person, who is signed in nowhere. If the link is
// for a session of its user, that person also sends the form of such a session. Neither does anything: the
// owner uses the link next.
func (o *person) forward(t *testing.T, address, subject string) {
	t.Helper()
	v := o.Visitor(t)
	page := v.Get(t, address)
	switch subject {
	case providertest.EnrolmentSubject:
		page = v.Submit(t, page.FormTo(t, "/link/enrol", "", ""), "act", "confirm")
	case "Confirm your new email address":
		page = v.Submit(t, page.FormTo(t, "/link/verify", "", ""), "act", "verify")
	default:
		return
	}
	if page.StatusCode < 400 && page.At.Path != "/login" {
		t.Errorf("without a session, the link of %q leads to %s with status %d", subject, page.At, page.StatusCode)
	}
	v.WantNoSession(t)
}

// sendMails sends the due mails, and returns the number of all mails that were sent.
func (p *place) sendMails(t *testing.T) int {
	t.Helper()
	if p.mails != nil {
		p.SendMails(t)
		p.inbox = append(p.inbox, p.mails.Received()...)
	}
	return len(p.inbox)
}

// recover does an act without a session. It returns the result.
func (o *person) recover(t *testing.T, name, second string) string {
	t.Helper()
	v := o.Visitor(t)
	switch name {
	case passkeyLink:
		return o.followPasskeyLink(t, v, second)
	case waitForWeek:
		o.Advance(7*24*time.Hour + time.Minute)
		o.before = nil
		return done
	case undoChange:
		page := v.Submit(t, v.Get(t, o.undo).FormTo(t, "/link/undo", "", ""))
		if page.At.Query().Get("done") != "undone" {
			return resultOf(page)
		}
		v.WantNoSession(t)
		b := o.before
		o.email, o.password, o.phone, o.before = b.email, b.password, b.phone, nil
		return done
	case resetFactors:
		if _, err := o.DB.ResetFactors(t.Context(), storage.FactorReset{UserID: o.id}, storage.By{At: o.Now()}); err != nil {
			t.Fatal(err)
		}
		return done
	case forgotPassword:
		before := len(o.inbox)
		page := v.Get(t, v.Get(t, o.app.AuthorizeURL()).Link(t, "forgot"))
		if got := v.Submit(t, page.Form(t), "email", o.email); got.At.Query().Get("done") != "mail" {
			t.Fatalf("at %s, status %d", got.At, got.StatusCode)
		}
		o.sendMails(t)
		got := o.inbox[before:]
		if slices.ContainsFunc(got, func(m mailtest.Mail) bool { return m.Subject() == "You sign in with Elsewhere" }) {
			return noPassword
		}
		return o.choosePassword(t, v, o.linkInNewest(t, "Choose a new password"))
	}
	made := storage.PasswordLink{UserID: o.id, Reason: "by_administrator"}
	if !o.state(t).Proven {
		made.Unproven = storage.KeepAttached
	}
	l, err := o.DB.IssuePasswordLink(t.Context(), made, storage.By{At: o.Now()})
	if err != nil {
		t.Fatal(err)
	}
	links := link.New(link.Config{DB: o.DB, Ring: o.OpenKeys(t), Issuer: o.Issuer, SendsMails: o.mails != nil, Now: o.Now})
	address, err := links.URL(l.Ref(), l.ExpiresAt.Time())
	if err != nil {
		t.Fatal(err)
	}
	return o.choosePassword(t, v, address)
}

// followPasskeyLink adds a passkey by a link of an operator. The page asks for the second factor first.
func (o *person) followPasskeyLink(t *testing.T, v *providertest.Visitor, second string) string {
	t.Helper()
	page := v.Get(t, o.PasskeyLink(t, o.id))
	given := ""
	switch second {
	case app:
		o.Advance(30 * time.Second)
		given = o.phone.Code(t, o.Now())
	case code:
		given = o.nextCode()
	case key:
		page = v.UsePasskey(t, page, o.keys[o.key(t)])
	case strong:
		page = v.UsePasskey(t, page, o.passkeys[o.passkey(t, strong)])
	}
	if given != "" {
		page = v.Submit(t, page.FormTo(t, "/link/passkey", "", ""), "code", given)
	}
	if !strings.Contains(page.Body, `data-passkey="create"`) {
		return factorAsked
	}
	return resultOf(o.addPasskey(t, v, page))
}

func (o *person) choosePassword(t *testing.T, v *providertest.Visitor, address string) string {
	t.Helper()
	wanted := o.nextPassword()
	page := v.Submit(t, v.Get(t, address).FormTo(t, "/link/reset", "", ""), "new-password", wanted)
	o.password = wanted
	if page.At.Query().Get("done") == "password" {
		return done
	}
	return resultOf(page)
}

var shownCode = regexp.MustCompile(`<code>([a-z_]+)</code>`)

// resultOf returns the code of a page that refuses, or done.
func resultOf(page providertest.Stop) string {
	found := shownCode.FindStringSubmatch(page.Body)
	switch {
	case asksForProof(page):
		return tooWeak
	case page.StatusCode < 400:
		return done
	case found != nil:
		return found[1]
	}
	return fmt.Sprintf("status %d at %s", page.StatusCode, page.At.Path)
}

// asksForProof reports whether the page asks for a newer or stronger proof before an act.
func asksForProof(page providertest.Stop) bool {
	return page.LeftTo == nil && (page.At.Path == "/login" || page.At.Path == "/login/factor") && strings.Contains(page.Body, `id="why"`)
}

// try does a step on the pages and compares it with the model. It returns the state after it.
func (o *person) try(t *testing.T, a account, s step) account {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the account has: %s; the step is %s", a, s)
		}
	}()
	want := a.do(s)
	if want.Link || slices.Contains([]string{proveAddress, giveAddress, changeAddress, changeForGood, forgotPassword}, s.Act) {
		o.Advance(16 * time.Minute) // the mails to an address are limited
	}
	few := s.Act == changeAddress && len(o.phone.Codes) < 5 // an undo brings these back, and no new ones
	if s.Second == code && len(o.phone.Codes) == 1 || few && a.Codes {
		o.refill(t, a)
	}
	var watched []witness
	if want.Result == done && !slices.Contains([]string{onlySignIn, proveAddress, waitForWeek}, s.Act) {
		watched = o.witnesses(t, a)
	}
	got, own, seen := outcome{}, (*providertest.Visitor)(nil), o.sendMails(t)
	if s.Way == "" {
		got.Result = o.recover(t, s.Act, s.Second)
	} else {
		own = o.browser(t, s.Second)
		var trust []string
		if s.Act == trustBrowser {
			o.trusted, trust = own, []string{"trust", "on"}
		}
		page := o.signIn(t, own, own.Get(t, o.app.AuthorizeURL("max_age", "3600")), s.Way, s.Second, trust...)
		if page.LeftTo == nil {
			if got.Result = factorAsked; page.At.Path != "/login/factor" {
				t.Fatalf("the sign-in ends at %s with status %d:\n%s", page.At, page.StatusCode, page.Body)
			}
			own.WantNoSession(t)
		} else {
			got.Result = done
			got.Level, got.Methods = o.tokensOf(t, own, page)
		}
		if got.Result == done && s.Act != onlySignIn && s.Act != trustBrowser {
			if s.Old {
				o.Advance(6 * time.Minute)
			}
			page, got.Link = o.act(t, own, s.Act)
			got.Result = resultOf(page)
		}
	}
	got.After = o.state(t)
	if got.After.Former.Pending == want.After.Former.Pending {
		got.After.Former = want.After.Former // the undo shows whether it is right
	}
	got.Ends = o.endedBy(t, watched, want.Ends)
	got.Notices = o.noticesSince(t, seen)
	if got.Result == done && own != nil && own.Get(t, o.Issuer+"/account").At.Path != "/account" {
		t.Error("the act has ended its own session")
	}
	slices.Sort(want.Notices)
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s: %s:\ngot  %s\nwant %s", a, s, g, w)
	}
	return got.After
}

// tokensOf redeems the code and returns acr and amr of the session. The ID token states phr only to
// clients that ask for it.
func (o *person) tokensOf(t *testing.T, v *providertest.Visitor, page providertest.Stop) (level string, methods []string) {
	t.Helper()
	claims := providertest.ClaimsOf(t, o.app.Redeem(t, page.Code(t))["id_token"])
	if at := providertest.NumberOf(t, claims["auth_time"]); at > o.Now().Unix() || at < o.Now().Add(-40*time.Second).Unix() { // a code of an app moves the clock
		t.Errorf("auth_time is %d, now it is %d", at, o.Now().Unix())
	}
	level = claims["acr"].(string)
	for _, m := range claims["amr"].([]any) {
		methods = append(methods, m.(string))
	}
	slices.Sort(methods)
	if slices.Contains(methods, "pop") && level != oneFactor {
		page = v.Get(t, o.app.AuthorizeURL("acr_values", resistant, "prompt", "none"))
		level = providertest.ClaimsOf(t, o.app.Redeem(t, page.Code(t))["id_token"])["acr"].(string)
	}
	return level, methods
}

// endedBy compares the sessions and grants that live after an act with those that should. It returns the
// value of outcome.Ends: the wanted one if all are as they should be.
func (o *person) endedBy(t *testing.T, watched []witness, wanted string) string {
	t.Helper()
	got := []string{}
	for _, w := range watched {
		ends := w.endsWith(wanted, o.removed)
		lives := w.lives(t, o)
		if lives {
			o.app.Revoke(t, w.tokens["refresh_token"]) // offline grants keep the rows of their sessions
		}
		if lives == ends {
			got = append(got, fmt.Sprintf("%s, %q: %s", w.way, w.second, named(lives, "lives", "ended")))
		}
	}
	if len(got) == 0 {
		return wanted
	}
	return strings.Join(got, ", ")
}

// notices are subjects of mails that tell of a change.
var notices = []string{
	"A recovery code was used", "A second factor was added", "A second factor was removed", "A passkey was added", "A passkey was removed",
	"A Elsewhere account was connected", "A Elsewhere account was disconnected", "Your recovery codes were replaced", "Your password was changed",
	"Your second factors were removed", "You’re now asked for a passkey at every sign-in", "You’re no longer asked for a passkey at every sign-in",
	"A browser is now trusted", "The address of your account was changed", "The change of your address was undone",
}

// noticesSince lists the subjects of the notices to the person after the first mails, sorted.
func (o *person) noticesSince(t *testing.T, first int) (list []string) {
	t.Helper()
	o.sendMails(t)
	for _, m := range o.inbox[first:] {
		if !slices.Contains(o.addresses, m.To[0]) {
			t.Errorf("a mail to %s: %s", m.To[0], m.Subject())
		}
		if slices.Contains(notices, m.Subject()) {
			list = append(list, m.Subject())
		}
	}
	slices.Sort(list)
	return list
}
