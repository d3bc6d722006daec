package program_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"signet/cmd/signet/signettest"
	"signet/provider/keys/openssl"
	"signet/provider/mail/mailtest"
	"signet/storage/storagetest"
)

func writePEMFile(t *testing.T, file string, certificate []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tlsStart observes the end of a start with only one file of a certificate and key.
func tlsStart(other string) func(*testing.T, installTemplate, string) string {
	return func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, "SIGNET_ISSUER=https://id.example.com")
		writeKeyPair(t, w.dir, "a", time.Now().Add(time.Hour))
		writeKeyPair(t, w.dir, "b", time.Now().Add(time.Hour))
		w.Env = append(w.Env, strings.ReplaceAll(set, "DIR", w.dir), strings.ReplaceAll(other, "DIR", w.dir))
		return w.starts()
	}
}

// signedInAfter observes whether the user is still signed in after a time.
func signedInAfter(idle time.Duration, more ...string) func(*testing.T, installTemplate, string) string {
	return func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, append(more, set)...).serve()
		w.signIn(h.app, "openid")
		w.later(idle)
		w.browser.Visit(w.Issuer + "/account")
		return w.browser.At.Path
	}
}

// appTokens signs in as a first-party app and observes its cookies with observe.
func appTokens(observe func(w *world, cookies map[string]*http.Cookie) string, more ...string) func(*testing.T, installTemplate, string) string {
	return func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, append(more, set)...).serve()
		_, cookies := w.appLogin(w.Email, w.Password)
		return observe(w, cookies)
	}
}

func accessClaim(name string) func(w *world, cookies map[string]*http.Cookie) string {
	return func(w *world, cookies map[string]*http.Cookie) string {
		if cookies["access_token"] == nil {
			w.t.Fatal("no access token")
		}
		return fmt.Sprint(claims(w.t, cookies["access_token"].Value)[name])
	}
}

// cookieDomain observes the cookies of a sign-in at a server with an https issuer.
func cookieDomain(t *testing.T, h installTemplate, set string) string {
	w := h.world(t, "SIGNET_FIRST_PARTY_CLIENT_ID=one", set)
	w.Env = append(w.Env, "SIGNET_ISSUER=https://id.shop.example.com", "SIGNET_LISTEN=127.0.0.1:0")
	served := runServe(t, w.Env, "")
	defer served.stop()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+served.address+"/login", strings.NewReader(fmt.Sprintf(`{"username":%q,"password":%q}`, w.Email, w.Password)))
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "id.shop.example.com"
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Origin", "https://id.shop.example.com")
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var domains []string
	for _, cookie := range answer.Cookies() {
		domains = append(domains, cookie.Name+" at "+cookie.Domain)
	}
	return answer.Status + strings.Join(domains, ", ")
}

// onLogin observes the texts of the sign-in page, at a host that can have passkeys, that match the
// expression.
func onLogin(expression string) func(*testing.T, installTemplate, string) string {
	return func(t *testing.T, h installTemplate, set string) string {
		return strings.Join(regexp.MustCompile(expression).FindAllString(loginPage(t, h, set), -1), " ")
	}
}

func loginPage(t *testing.T, h installTemplate, set string) string {
	w := h.world(t, set)
	w.Env = append(w.Env, "SIGNET_ISSUER=https://id.shop.example.com", "SIGNET_LISTEN=127.0.0.1:0")
	served := runServe(t, w.Env, "")
	defer served.stop()
	for path := "/login?return_to=/account"; ; { // which redirects once
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+served.address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "id.shop.example.com"
		answer, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err = errors.Join(err, answer.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusSeeOther {
			return string(body)
		}
		path = strings.TrimPrefix(answer.Header.Get("Location"), "https://id.shop.example.com")
	}
}

// onPage observes whether a page of a signed-in user contains a text.
func onPage(path, text string, more ...string) func(*testing.T, installTemplate, string) string {
	return func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, append(more, set)...).serve()
		w.signIn(h.app, "openid")
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Issuer+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", "text/html")
		answer, err := w.browser.Client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, answer.Status, err)
		}
		return fmt.Sprint(strings.Contains(string(body), text))
	}
}

// testMail observes a test mail at a server with the login signet:secret. The variables of more come
// before the observed one, and HOST, PORT and CA in them stand for the server.
func testMail(option mailtest.Option, more ...string) func(*testing.T, installTemplate, string) string {
	return func(t *testing.T, h installTemplate, set string) string {
		server := mailtest.Start(t, option, mailtest.WithLogin("signet", "secret"))
		w := h.world(t)
		ca := filepath.Join(w.dir, "ca.pem")
		if err := os.WriteFile(ca, server.CA, 0o600); err != nil {
			t.Fatal(err)
		}
		values := map[string]string{
			"SIGNET_SMTP_HOST": "HOST", "SIGNET_SMTP_PORT": "PORT", "SIGNET_SMTP_USERNAME": "signet", "SIGNET_SMTP_PASSWORD": "secret",
			"SIGNET_MAIL_FROM": "a@example.com", "SIGNET_OUTBOUND_EXTRA_CA": ca,
		}
		for _, pair := range append(more, set) {
			name, value, _ := strings.Cut(pair, "=")
			values[name] = value
		}
		for name, value := range values {
			if value != "NONE" {
				w.Env = append(w.Env, name+"="+strings.NewReplacer("HOST", server.Host, "PORT", fmt.Sprint(server.Port)).Replace(value))
			}
		}
		code, _ := w.command("", "mail", "test", "ada@example.com")
		seen := fmt.Sprintf("exit code %d", code)
		for _, m := range server.Received() {
			seen += ", mail of " + m.From
		}
		return seen
	}
}

var observations = map[string]observation{
	"issuer": {"http://127.0.0.1", "http://localhost", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set+":1") // requests use the address
		served := runServe(t, append(w.Env, "SIGNET_LISTEN=127.0.0.1:0"), "")
		defer served.stop()
		_, body := signettest.Get(t, "http://"+served.address+"/.well-known/openid-configuration")
		return body
	}},
	"listen": {"127.0.0.1:0", "127.0.0.2:0", func(t *testing.T, h installTemplate, set string) string {
		served := runServe(t, h.world(t, set).Env, "")
		defer served.stop()
		host, _, _ := strings.Cut(served.address, ":")
		return host
	}},
	"listen_mode": {"0600", "0666", func(t *testing.T, h installTemplate, set string) string {
		path := filepath.Join(t.TempDir(), "signet.sock")
		served := runServe(t, append(h.world(t, set).Env, "SIGNET_LISTEN=unix:"+path), "")
		defer served.stop()
		state, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return state.Mode().String()
	}},
	"data_dir": {"new", "other", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t)
		name, value, _ := strings.Cut(set, "=")
		w.Env = append(w.Env, name+"="+filepath.Join(w.dir, value))
		w.command("", "migrate")
		_, err := os.Stat(filepath.Join(w.dir, "new", "signet.db"))
		return fmt.Sprint(err == nil)
	}},
	"database": {"", "postgres://signet@127.0.0.1:1/signet", func(t *testing.T, h installTemplate, set string) string { return h.world(t, set).starts() }},
	"database_password": {"right", "wrong", func(t *testing.T, h installTemplate, set string) string {
		b, setPassword := storagetest.PostgresWithPassword(t)
		setPassword("right")
		return h.world(t, set, "SIGNET_DATABASE="+b.Config().Database).starts()
	}},
	"master_key": {"OWN", otherMaster, func(t *testing.T, h installTemplate, set string) string {
		return h.world(t, strings.ReplaceAll(set, "OWN", strings.TrimSpace(string(h.files["master.key"])))).starts()
	}},
	"master_key_next": {otherMaster, "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=", rewrapped},
	"cookie_name": {"signet", "other", appTokens(func(_ *world, cookies map[string]*http.Cookie) string {
		return fmt.Sprint(cookies["signet"] != nil)
	}, "SIGNET_FIRST_PARTY_CLIENT_ID=one")},
	"cookie_domain":         {"example.com", "shop.example.com", cookieDomain},
	"first_party.client_id": {"one", "two", appTokens(accessClaim("client_id"))},
	"first_party.audience":  {"https://a.example.com", "https://b.example.com", appTokens(accessClaim("aud"), "SIGNET_FIRST_PARTY_CLIENT_ID=one")},
	"first_party.origins": {"http://localhost:1", "http://localhost:2", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, "SIGNET_FIRST_PARTY_CLIENT_ID=one", set).serve()
		answer, _ := w.send("OPTIONS", "/session", "", "Origin", "http://localhost:1", "Access-Control-Request-Method", "GET")
		return answer.Header.Get("Access-Control-Allow-Origin")
	}},
	"trusted_proxies": {"127.0.0.1", "192.0.2.1", loggedAddress},
	"tls.cert":        {"DIR/a.crt", "DIR/b.crt", tlsStart("SIGNET_TLS_KEY=DIR/a.pem")},
	"tls.key":         {"DIR/a.pem", "DIR/b.pem", tlsStart("SIGNET_TLS_CERT=DIR/a.crt")},
	"lifetimes.access": {"5m", "20m", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set).serve()
		return fmt.Sprint(w.redeem(w.signIn(h.app, "openid")).Life)
	}},
	"lifetimes.id": {"5m", "20m", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set).serve()
		read := claims(t, w.redeem(w.signIn(h.app, "openid")).ID)
		return fmt.Sprint(read["exp"].(float64) - read["iat"].(float64))
	}},
	"lifetimes.code": {"60s", "5m", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set).serve()
		code := w.signIn(h.app, "openid")
		w.later(2 * time.Minute)
		return w.redeem(code).outcome()
	}},
	"lifetimes.device_code": {"5m", "20m", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set).serve()
		form := url.Values{"client_id": {h.app.ID}, "client_secret": {h.app.Secret}, "scope": {"openid"}}
		_, body := w.send("POST", "/device_authorization", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		return strings.Join(regexp.MustCompile(`"expires_in":\d+`).FindAllString(body, -1), " ")
	}},
	"lifetimes.request": {"10m", "2h", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set).serve()
		w.browser.Open(w.authorizeURL(h.app, "openid"))
		w.later(time.Hour)
		w.browser.Send("login", "", map[string]string{"username": w.Email, "password": w.Password})
		return fmt.Sprint(w.browser.Left != nil)
	}},
	"lifetimes.refresh":     {"1d", "7d", afterIdling("openid")},
	"lifetimes.refresh_max": {"10d", "30d", afterUse("openid")},
	"lifetimes.offline":     {"1d", "7d", afterIdling("openid offline_access")},
	"lifetimes.offline_max": {"10d", "30d", afterUse("openid offline_access")},
	"lifetimes.refresh_grace": {"10s", "5m", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set).serve()
		first := w.redeem(w.signIn(h.app, "openid"))
		w.refresh(first.Refresh)
		w.later(time.Minute)
		return w.refresh(first.Refresh).outcome()
	}},
	"lifetimes.session": {"1h", "12h", signedInAfter(2 * time.Hour)},
	"lifetimes.session_kept": {"3d", "5d", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set).serve()
		w.browser.Open(w.authorizeURL(h.app, "openid"))
		return fmt.Sprint(strings.Contains(w.browser.Text(), "Keep me signed in for 3 days"))
	}},
	"lifetimes.session_max": {"1h", "12h", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, "SIGNET_LIFETIMES_SESSION=1h", "SIGNET_LIFETIMES_SESSION_KEPT=1h", set).serve()
		first := w.redeem(w.signIn(h.app, "openid"))
		w.later(40 * time.Minute)
		w.refresh(first.Refresh) // a use, so that the session is not idle
		w.later(40 * time.Minute)
		w.browser.Visit(w.Issuer + "/account")
		return w.browser.At.Path
	}},
	"lifetimes.step_up": {"1m", "1h", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set).serve()
		w.signIn(h.app, "openid")
		w.later(10 * time.Minute)
		w.browser.Visit(w.Issuer + "/account/password")
		return w.browser.At.Path
	}},
	"lifetimes.admin_idle": {"1m", "1h", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set).serve()
		w.signIn(h.app, "openid")
		w.browser.Visit(w.Issuer + "/admin")
		w.later(10 * time.Minute)
		w.browser.Visit(w.Issuer + "/admin")
		return w.browser.At.Path
	}},
	"lifetimes.trusted_browser": {"0s", "30d", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set).serve()
		w.Email = "bob@example.com" // administrators trust no browser
		w.Command(t, w.Password, nil, "user", "create", "--email", w.Email, "--email-verified", "--password-stdin", "--json")
		w.signIn(h.app, "openid")
		w.browser.Visit(w.Issuer + "/account/security/totp")
		secret := signettest.FindByID(w.browser.Page, "secret").FirstChild.Data
		code, err := totp.GenerateCode(strings.ReplaceAll(secret, " ", ""), w.now())
		if err != nil {
			t.Fatal(err)
		}
		w.browser.Send("add-totp", "", map[string]string{"code": code})
		w.browser = signettest.NewFormBrowser(t)
		w.signIn(h.app, "openid")
		return fmt.Sprint(w.browser.At.Path, signettest.FindByID(w.browser.Page, "trust") != nil)
	}},
	"lifetimes.consent": {"1d", "30d", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, append(days, set)...).serve()
		w.signIn(h.asking, "openid")
		w.browser.Click("allow")
		w.later(48 * time.Hour)
		return fmt.Sprint(w.signIn(h.asking, "openid") != "")
	}},
	"events.webhook.url":    {"URL/first", "URL/second", firstForwarded},
	"events.webhook.secret": {observedSecret, "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVy", firstForwarded},
	"events.webhook.types":  {"client.updated", "user.disabled", firstForwarded},
	"events.retention": {"1d", "2d", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set)
		for _, name := range []string{"first", "second"} {
			w.later(35 * time.Hour)
			if code, _ := w.command("", "client", "update", "one", "--name", name); code != 0 {
				t.Fatalf("exit code %d", code)
			}
		}
		w.serve()
		events := ""
		signettest.Eventually(t, time.Minute, "the events of the beginning are deleted", func() bool {
			_, events = w.command("", "events", "--jsonl")
			return !strings.Contains(events, "user.created")
		})
		return fmt.Sprint(strings.Count(events, "client.updated"))
	}},
	"log.level": {"info", "error", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set)
		talk, _ := signettest.StartTalking(t, http.DefaultClient, w.Issuer, w.Env, "serve")
		return fmt.Sprint(strings.Contains(talk.String(), `"msg":"listening"`))
	}},
	"passwords.min_length": {"10", "15", func(t *testing.T, h installTemplate, set string) string {
		code, _ := h.world(t, set).command("twelve signs\n", "user", "create", "--email", "bob@example.com", "--password-stdin")
		return fmt.Sprint(code)
	}},
	"passwords.memory":    {"19", "20", hashOf},
	"passwords.time":      {"2", "3", hashOf},
	"passwords.threads":   {"1", "2", hashOf},
	"rate_limits.account": {"1", "3", guesses("alice@example.com", "alice@example.com", "alice@example.com")},
	"rate_limits.network": {"1", "3", guesses("a@example.com", "b@example.com", "c@example.com")},
	"rate_limits.registrations": {"1", "2", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, "SIGNET_REGISTRATION_MODE=open", set).serve()
		w.send(http.MethodPost, "/register", `{"redirect_uris":["https://one.example/callback"]}`, "Content-Type", "application/json")
		answer, _ := w.send(http.MethodPost, "/register", `{"redirect_uris":["https://two.example/callback"]}`, "Content-Type", "application/json")
		return answer.Status
	}},
	"rate_limits.pushed_requests": {"1", "2", withoutSecret("/par", url.Values{
		"response_type": {"code"}, "redirect_uri": {"http://127.0.0.1/callback"}, "scope": {"openid"},
		"code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"},
	}.Encode())},
	"rate_limits.device_codes": {"1", "2", withoutSecret("/device_authorization", "scope=openid")},
	"rate_limits.window": {"5m", "15m", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, "SIGNET_FIRST_PARTY_CLIENT_ID=one", "SIGNET_RATE_LIMITS_ACCOUNT=1", set).serve()
		w.appLogin(w.Email, "a wrong password")
		w.later(10 * time.Minute)
		answer, _ := w.appLogin(w.Email, "a wrong password")
		return answer.Status
	}},
	"factors.required":            {"none", "admins", onPage("/admin", `id="factor-needed"`)},
	"passkeys.rp_id":              {"example.com", "shop.example.com", onLogin(`data-rp="[^"]+"`)},
	"passkeys.conditional_create": {"false", "true", onLogin("data-can-create")},
	"signup": {"connectors", "open", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, "SIGNET_SMTP_HOST=127.0.0.1", "SIGNET_SMTP_PORT=1", "SIGNET_SMTP_TLS=none", "SIGNET_MAIL_FROM=no-reply@example.com", set)
		return w.serve().document("/.well-known/openid-configuration", "prompt_values_supported")
	}},
	"accounts.edit_username": {"false", "true", onPage("/account/profile", `name="preferred_username"`)},
	"registration.mode": {"off", "open", func(t *testing.T, h installTemplate, set string) string {
		return h.world(t, set).serve().document("/.well-known/openid-configuration", "registration_endpoint")
	}},
	"registration.response_types": {"code", "code, code id_token", func(t *testing.T, h installTemplate, set string) string {
		return h.world(t, set).serve().document("/.well-known/openid-configuration", "response_types_supported")
	}},
	"require_pushed_authorization_requests": {"false", "true", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set).serve()
		w.browser.Open(w.authorizeURL(h.app, "openid"))
		if w.browser.Left == nil {
			return "a page"
		}
		return w.browser.Left.Query().Get("error")
	}},
	"smtp.host":     {"HOST", "127.0.0.2", testMail(mailtest.WithStartTLS)},
	"smtp.port":     {"PORT", "1", testMail(mailtest.WithStartTLS)},
	"smtp.tls":      {"starttls", "tls", testMail(mailtest.WithTLS)},
	"smtp.username": {"signet", "other", testMail(mailtest.WithStartTLS)},
	"smtp.password": {"secret", "other", testMail(mailtest.WithStartTLS)},
	"mail.from":     {"a@example.com", "b@example.com", testMail(mailtest.WithStartTLS)},
	"frontchannel_logout": {"false", "true", func(t *testing.T, h installTemplate, set string) string {
		return h.world(t, set).serve().document("/.well-known/openid-configuration", "frontchannel_logout_supported")
	}},
	"session_management": {"false", "true", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set).serve()
		w.browser.Open(w.authorizeURL(h.app, "openid") + "&prompt=none")
		if w.browser.Left == nil {
			return "a page"
		}
		return fmt.Sprint(w.browser.Left.Query().Has("session_state"))
	}},
	"outbound.extra_ca": {"own", "other", trusting},
	"outbound.proxy":    {"PROXY", "http://127.0.0.1:1", proxied},
	"keys.algorithms": {"ES256, RS256", "ES256, RS256, PS256", func(t *testing.T, h installTemplate, set string) string {
		return h.world(t, set).serve().document("/.well-known/openid-configuration", "id_token_signing_alg_values_supported")
	}},
	"keys.rsa": {"go", "openssl", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set)
		if !openssl.Built {
			return w.starts() // openssl is a mistake
		}
		talk, _ := signettest.StartTalking(t, http.DefaultClient, w.Issuer, w.Env, "serve")
		return fmt.Sprint(strings.Contains(talk.String(), `"rsa":"OpenSSL 3.`))
	}},
	"keys.rotate_every": {"20d", "40d", func(t *testing.T, h installTemplate, set string) string {
		_, printed := h.world(t, set).command("", "keys", "list", "--json")
		return printed
	}},
	"keys.publish_before": {"1h", "5h", func(t *testing.T, h installTemplate, set string) string {
		w := h.world(t, set)
		w.later(2 * time.Hour)
		code, _ := w.command("", "keys", "rotate", "--alg", "ES256")
		return fmt.Sprint(code)
	}},
	"keys.jwks_max_age": {"5m", "10m", func(t *testing.T, h installTemplate, set string) string {
		answer, _ := h.world(t, set).serve().send("GET", "/jwks", "")
		return answer.Header.Get("Cache-Control")
	}},
}
