package oauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/assertion"
	"signet/provider/providertest"
	"signet/storage"
)

// Secrets in the requests of these tests. No log line and no event may contain them.
const (
	canaryVerifier = "canary-verifier-dBjftJeZ4CVP-mB92K27uhbUJU1p1r"
	canarySecret   = "canary-secret"
	canaryPassword = "canary-password"
	canaryQuery    = "canary-query"
)

// refusalRecord has the log line and the audit events of one refused request.
type refusalRecord struct {
	line   map[string]any
	events []storage.Event
}

// recordRefusal makes one request and returns its log line and its events. It fails if they contain a
// secret.
func recordRefusal(t *testing.T, b *providertest.Testbed, ask func() providertest.Answer) refusalRecord {
	t.Helper()
	before := map[string]int64{}
	for _, e := range b.Events(t) {
		before[e.ID] = e.Times
	}
	since := len(b.Log.String())
	a := ask()
	b.NoteRefusals(t)
	lines := b.RequestLines(t, since)
	if len(lines) == 0 {
		t.Fatalf("got no log line: %d %s", a.StatusCode, a.Body)
	}
	record := refusalRecord{line: lines[len(lines)-1]}
	for _, e := range b.Events(t) {
		if e.Times > before[e.ID] {
			record.events = append(record.events, e)
		}
	}
	all := b.Log.String()[since:] + fmt.Sprintf("%+v", record.events)
	for _, secret := range []string{canaryVerifier, canarySecret, canaryPassword, canaryQuery, b.Secret, providertest.Verifier} {
		if secret != "" && strings.Contains(all, secret) {
			t.Errorf("log or event contains the secret %q: %s", secret, all)
		}
	}
	return record
}

// want checks the cause in the log line, and that there is exactly one event of each type with
// this cause as its reason.
func (record refusalRecord) want(t *testing.T, cause string, types ...storage.EventType) {
	t.Helper()
	if record.line["cause"] != cause {
		t.Errorf("cause %v, want %s: %v", record.line["cause"], cause, record.line)
	}
	if len(record.events) != len(types) {
		t.Errorf("%s: events %+v, want %v", cause, record.events, types)
		return
	}
	for _, kind := range types {
		found := false
		for _, e := range record.events {
			found = found || e.Type == kind && e.Reason == cause && e.Outcome == storage.Refused
		}
		if !found {
			t.Errorf("%s: no event %s with this reason among %+v", cause, kind, record.events)
		}
	}
}

// authorizeRefusals are invalid authorization requests: the changed parameters and the expected
// cause. Each cause in the source is in this table or in causesTestedElsewhere.
var authorizeRefusals = []struct {
	cause string
	pairs []string
}{
	{"unknown_client", []string{"client_id", "nobody"}},
	{"client_id_missing", []string{"client_id", ""}},
	{"redirect_uri_missing", []string{"redirect_uri", ""}},
	{"redirect_uri_not_registered", []string{"redirect_uri", "https://user:" + canarySecret + "@evil.example/cb?token=" + canaryQuery + "#" + canaryQuery}},
	{"response_mode_unknown", []string{"response_mode", "pigeon"}},
	{"response_mode_unfit", []string{"response_mode", "form_post", "state", "a\nb"}},
	{"response_type_missing", []string{"response_type", ""}},
	{"response_type_unknown", []string{"response_type", "token"}},
	{"response_type_not_allowed", []string{"response_type", "code token"}},
	{"request_object_without_keys", []string{"request", "x.y.z"}},
	{"request_uri", []string{"request_uri", "https://app.example.com/request"}},
	{"registration", []string{"registration", "{}"}},
	{"authorization_details", []string{"authorization_details", "[]"}},
	{"scope_malformed", []string{"scope", "openid \"quoted\""}},
	{"scope_not_allowed", []string{"scope", "unheard-of"}},
	{"resource_not_allowed", []string{"resource", "https://api.example.com"}},
	{"prompt_unknown", []string{"prompt", "twice"}},
	{"prompt_contradicts", []string{"prompt", "none login"}},
	{"max_age_malformed", []string{"max_age", "-1"}},
	{"code_challenge_missing", []string{"code_challenge", "", "code_challenge_method", "", "nonce", ""}},
	{"code_challenge_method", []string{"code_challenge_method", "plain"}},
	{"code_challenge_malformed", []string{"code_challenge", "short"}},
	{"claims_malformed", []string{"claims", "["}},
	{"foreign_hint", []string{"id_token_hint", "x.y.z"}},
	{"login_needed", []string{"prompt", "none"}},
}

// causesTestedElsewhere need a session, a changed client, or an upstream. Other tests cover them.
var causesTestedElsewhere = []string{
	"grant_type_not_allowed", "code_not_bound", "hint_contradicts", "consent_needed", "proof_needed", "proof_declined", "upstream_not_fresh", "other_user",
	"acr_not_reached", "acr_declined", "acr_needed", "user_denied", "request_object", "nonce_missing", "openid_missing", "scope_lost", "resources_lost", "request_not_signed", "client_keys_unreachable",
	"request_object_malformed", "request_object_not_own", "request_object_audience", "request_object_nested", "request_object_times", "request_object_expired",
	"request_object_algorithm", "request_object_signature",
}

func TestRefusals_AuthorizeLogsCauses(t *testing.T) {
	listed := map[string]bool{}
	for _, cause := range causesTestedElsewhere {
		listed[cause] = true
	}
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		for _, r := range authorizeRefusals {
			listed[r.cause] = true
			record := recordRefusal(t, b, func() providertest.Answer {
				return providertest.Do(t, providertest.Direct, providertest.NewGetRequest(t, b.AuthorizeURL(r.pairs...)))
			})
			if r.cause == "unknown_client" || r.cause == "client_id_missing" {
				record.want(t, r.cause)
			} else {
				record.want(t, r.cause, storage.ClientRefused)
			}
			if r.cause == "unknown_client" && record.line["claimed_client_id"] != "nobody" {
				t.Errorf("the log has no claimed_client_id: %v", record.line)
			}
			if r.cause == "redirect_uri_not_registered" {
				const want = "https://evil.example/cb"
				if record.line["redirect_uri"] != want || record.events[0].Detail["redirect_uri"] != want || record.events[0].ClientID != b.Client.ID {
					t.Errorf("the log or the event lacks the redirect URI: %v, %+v", record.line, record.events)
				}
			}
		}
	})
	for _, file := range []string{"authparams.go", "requestobject.go", "responsetype.go", "../flow/next.go"} {
		for _, cause := range causesIn(t, file, `\bRefuse\("([a-z_]+)"`) {
			if !listed[cause] {
				t.Errorf("%s: the cause %s is in no table of refusals", file, cause)
			}
		}
	}
}

// P-16: an error response has only registered parameters and never a code, and its text is ASCII
// without quotation marks, backslashes and line breaks, whatever the request contains.
func TestRefusals_ResponsesContainOnlyRegisteredParameters(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const hostile = "é\"\\\r\n\t<b>\u202e"
		requests := [][]string{}
		for _, r := range authorizeRefusals {
			requests = append(requests, r.pairs)
		}
		for _, name := range []string{"response_type", "response_mode", "scope", "prompt", "max_age", "claims", "resource", "request", "request_uri", "nonce", "code_challenge", "code_challenge_method", "id_token_hint", "acr_values", "registration"} {
			requests = append(requests, []string{name, hostile})
		}
		v, errors := b.Visitor(t), 0
		v.SignInForCode(t)
		for _, pairs := range append(requests, []string{"scope", "openid phone", "prompt", "none"}) {
			for _, more := range [][]string{{}, {"state", ""}, {"response_mode", "fragment"}, {"response_mode", "form_post"}} {
				s := v.Get(t, b.AuthorizeURL(append(slices.Clone(more), pairs...)...))
				if s.LeftTo == nil {
					continue // a page, see P-12
				}
				got := s.Response(t)
				if got.Has("code") && !got.Has("error") {
					continue // nothing is wrong with the request
				}
				errors++
				for name, values := range got {
					if !slices.Contains([]string{"error", "error_description", "error_uri", "state", "iss", "session_state"}, name) || len(values) != 1 {
						t.Errorf("%q: the response has %s %q", pairs, name, values)
					}
				}
				text := got.Get("error") + got.Get("error_description")
				if got.Get("error") == "" || strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' }) {
					t.Errorf("%q: the text is %q", pairs, text)
				}
			}
		}
		if errors < 60 {
			t.Errorf("%d error responses were checked", errors)
		}
	})
}

// causesIn returns the causes in a source file. pattern has the cause as its first group.
func causesIn(t *testing.T, file, pattern string) (causes []string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
		causes = append(causes, found[1])
	}
	if len(causes) == 0 {
		t.Fatalf("found no cause in %s", file)
	}
	return causes
}

// tokenScene has the clients, the code and the tokens for requests at the token endpoint.
type tokenScene struct {
	*providertest.Testbed
	other, public, keyed, tv *providertest.Testbed // other clients
	code                     string                // not redeemed yet
	tokens                   map[string]any
}

func (s *tokenScene) ask(t *testing.T, form url.Values, id, secret string) providertest.Answer {
	t.Helper()
	return s.Post(t, "/token", providertest.FormType, strings.NewReader(form.Encode()), func(r *http.Request) {
		r.Header.Del("Authorization")
		if id != "" {
			r.Header.Set("Authorization", providertest.Basic(id, secret))
		}
	})
}

// tokenRefusals are invalid requests at the token endpoint: the expected cause and events.
var tokenRefusals = []struct {
	cause string
	types []storage.EventType
	ask   func(t *testing.T, s *tokenScene) providertest.Answer
}{
	{"client_id_missing", nil, func(t *testing.T, s *tokenScene) providertest.Answer { return s.ask(t, s.CodeForm(s.code), "", "") }},
	{"unknown_client", nil, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.ask(t, s.CodeForm(s.code), "nobody", canarySecret)
	}},
	{"wrong_secret", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.ask(t, s.CodeForm(s.code), s.Client.ID, canarySecret)
	}},
	{"no_secret", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.ask(t, s.CodeForm(s.code, "client_id", s.Client.ID), "", "")
	}},
	{"secret_of_public_client", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.ask(t, s.CodeForm(s.code), s.public.Client.ID, canarySecret)
	}},
	{"malformed_basic", nil, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.TokenRequest(t, s.CodeForm(s.code), func(r *http.Request) { r.Header.Set("Authorization", "Basic !"+canarySecret) })
	}},
	{"assertion_type", nil, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.ask(t, s.CodeForm(s.code, "client_assertion", canarySecret), "", "")
	}},
	{"assertion_malformed", nil, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.ask(t, s.CodeForm(s.code, "client_assertion", canarySecret, "client_assertion_type", assertion.Type), "", "")
	}},
	{"no_assertion", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.ask(t, s.CodeForm(s.code, "client_id", s.keyed.Client.ID), "", "")
	}},
	{"secret_of_key_client", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.ask(t, s.CodeForm(s.code), s.keyed.Client.ID, canarySecret)
	}},
	{"assertion_signature", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		forged := providertest.NewClientKey("ES256", "key-ES256").Sign(s.keyed.AssertionClaims())
		return s.ask(t, s.CodeForm(s.code, "client_assertion", forged, "client_assertion_type", assertion.Type), "", "")
	}},
	{"two_methods", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.ask(t, s.CodeForm(s.code, "client_secret", canarySecret), s.Client.ID, s.Secret)
	}},
	{"two_clients", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.ask(t, s.CodeForm(s.code, "client_id", "another"), s.Client.ID, s.Secret)
	}},
	{"grant_type_missing", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.TokenRequest(t, s.CodeForm(s.code, "grant_type", ""))
	}},
	{"grant_type_unknown", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.TokenRequest(t, s.CodeForm(s.code, "grant_type", "password", "username", "a", "password", canaryPassword))
	}},
	{"grant_type_not_allowed", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.TokenRequest(t, s.CodeForm(s.code, "grant_type", "client_credentials"))
	}},
	{"code_missing", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.TokenRequest(t, s.CodeForm("", "code", ""))
	}},
	{"unknown_code", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.TokenRequest(t, s.CodeForm("canary-code"))
	}},
	// Events are written for the grant of the owner and for the client that presents the code.
	{"foreign_code", []storage.EventType{storage.GrantRefused, storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.other.TokenRequest(t, s.CodeForm(s.code))
	}},
	{"redirect_uri_differs", []storage.EventType{storage.GrantRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.TokenRequest(t, s.CodeForm(s.code, "redirect_uri", "https://app.example.com/other?x="+canaryQuery))
	}},
	{"resource_not_granted", []storage.EventType{storage.GrantRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.TokenRequest(t, s.CodeForm(s.code, "resource", "https://api.example.com"))
	}},
	{"verifier_missing", []storage.EventType{storage.GrantRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.TokenRequest(t, s.CodeForm(s.freshCode(t), "code_verifier", ""))
	}},
	{"wrong_verifier", []storage.EventType{storage.GrantRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.TokenRequest(t, s.CodeForm(s.freshCode(t), "code_verifier", canaryVerifier))
	}},
	{"replayed", []storage.EventType{storage.GrantReplayed}, func(t *testing.T, s *tokenScene) providertest.Answer {
		code := s.freshCode(t)
		s.Redeem(t, code)
		return s.TokenRequest(t, s.CodeForm(code))
	}},
	{"refresh_token_missing", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.TokenRequest(t, url.Values{"grant_type": {"refresh_token"}})
	}},
	{"unknown_refresh_token", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.Refresh(t, "canary-token")
	}},
	{"foreign_refresh_token", []storage.EventType{storage.GrantRefused, storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.other.Refresh(t, s.tokens["refresh_token"])
	}},
	{"scope_widened", []storage.EventType{storage.GrantRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.Refresh(t, s.tokens["refresh_token"], "scope", "openid phone")
	}},
	{"grant_revoked", []storage.EventType{storage.GrantRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		tokens := s.Redeem(t, s.freshCode(t))
		s.Revoke(t, tokens["refresh_token"])
		return s.Refresh(t, tokens["refresh_token"])
	}},
	{"session_ended", []storage.EventType{storage.GrantRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		v := s.Visitor(t)
		tokens := s.Redeem(t, v.SignIn(t, v.Get(t, s.AuthorizeURL()), providertest.Alice, providertest.Password).Code(t))
		s.EndSession(t, providertest.ClaimsOf(t, tokens["id_token"].(string))["sid"])
		return s.Refresh(t, tokens["refresh_token"])
	}},
	{"device_code_missing", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.tv.Poll(t, providertest.Device{})
	}},
	{"unknown_device_code", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.tv.Poll(t, providertest.Device{Code: canarySecret})
	}},
	{"foreign_device_code", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		radio := s.AsClient(s.RegisterWith(t, storage.Native, "radio", func(c *storage.Client) {
			c.Metadata.GrantTypes, c.Metadata.ResponseTypes = []string{storage.GrantDevice}, nil
		}))
		return radio.Poll(t, s.tv.StartDevice(t))
	}},
	{"authorization_pending", nil, func(t *testing.T, s *tokenScene) providertest.Answer { return s.tv.Poll(t, s.tv.StartDevice(t)) }},
	{"polled_too_early", nil, func(t *testing.T, s *tokenScene) providertest.Answer {
		d := s.tv.StartDevice(t)
		s.tv.Poll(t, d)
		return s.tv.Poll(t, d)
	}},
	{"device_denied", nil, func(t *testing.T, s *tokenScene) providertest.Answer { // the event device.denied is not a refusal
		d := s.tv.StartDevice(t)
		s.Visitor(t).AnswerDevice(t, d, "deny")
		return s.tv.Poll(t, d)
	}},
	{"device_code_expired", nil, func(t *testing.T, s *tokenScene) providertest.Answer { // of no user
		d := s.tv.StartDevice(t)
		s.Advance(10 * time.Minute)
		return s.tv.Poll(t, d)
	}},
	{"client_disabled", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		s.SetClientEnabledByID(t, s.other.Client.ID, false)
		s.Follow(t)
		return s.other.TokenRequest(t, s.CodeForm(s.code))
	}},
}

// freshCode returns the code of another sign-in of alice.
func (s *tokenScene) freshCode(t *testing.T) string {
	t.Helper()
	v := s.Visitor(t)
	return v.SignIn(t, v.Get(t, s.AuthorizeURL()), providertest.Alice, providertest.Password).Code(t)
}

func TestRefusals_TokenLogsCauses(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		s := &tokenScene{Testbed: b}
		otherClient, otherSecret := b.Register(t, storage.Web, "other", providertest.Callback)
		publicClient, _ := b.Register(t, storage.SPA, "public", "https://spa.example.com/cb")
		s.tv = b.Televisions(t)
		s.keyed = b.KeyClient(t, "keyed", allKeys)
		s.other, s.public = b.AsClient(otherClient, otherSecret), b.AsClient(publicClient, "")
		v := b.Visitor(t)
		s.tokens = b.Redeem(t, v.SignInForCode(t))
		s.code = v.CodeFromSession(t)
		for _, r := range tokenRefusals {
			t.Run(r.cause, func(t *testing.T) {
				// Requests before the refusal write events too; onlyRefused removes them.
				record := recordRefusal(t, b, func() providertest.Answer { return r.ask(t, s) })
				record.events = onlyRefused(record.events)
				record.wantReason(t, r.cause, r.types...)
				claimed, _ := record.line["claimed_client_id"].(string)
				if claimed == "" && !slices.Contains([]string{"client_id_missing", "malformed_basic", "assertion_type", "assertion_malformed"}, r.cause) {
					t.Errorf("the log has no claimed_client_id: %v", record.line)
				}
				for _, event := range record.events {
					if event.Type == storage.GrantRefused && r.cause == "foreign_code" &&
						(event.UserID != b.Alice.ID || event.ClientID != b.Client.ID || event.Detail["claimed_client_id"] != "other") {
						t.Errorf("the event lacks the owner of the code or the client that presents it: %+v", event)
					}
				}
			})
		}
	})
	listed := map[string]bool{
		// Other tests cover these causes: limits, narrowing, panics, other endpoints.
		"throttled": true, "panic": true, "client_authentication": true, "token_missing": true, "wrong_method": true, "public_client": true,
		"resources_lost": true, "nothing_left": true, "scope_lost": true, "authorization_details": true, "scope_not_allowed": true,
		"verifier_without_challenge": true, "redirect_uri_not_registered": true, "assertion_not_own": true, "assertion_not_allowed": true,
		"request_too_large": true, "too_many_device_codes": true,
	}
	for _, r := range tokenRefusals {
		listed[r.cause] = true
	}
	for file, pattern := range map[string]string{
		"../flow/narrowing.go": `because\("([a-z_]+)"`, "errors.go": `because\("([a-z_]+)"`, "device.go": `Because\("([a-z_]+)"`, "clientauth.go": `unauthenticated\("([a-z_]+)"`, "clientassertion.go": `unauthenticated\("([a-z_]+)"`, "code.go": `Because\("([a-z_]+)"`, "refresh.go": `Because\("(unknown[a-z_]+)"`,
	} {
		for _, cause := range causesIn(t, file, pattern) {
			if !listed[cause] {
				t.Errorf("%s: the cause %s is in no table of refusals", file, cause)
			}
		}
	}
}

// onlyRefused returns the events with the outcome refused.
func onlyRefused(events []storage.Event) (list []storage.Event) {
	for _, e := range events {
		if e.Outcome == storage.Refused {
			list = append(list, e)
		}
	}
	return list
}

// wantReason is like want, except that the event of a replay has another reason.
func (record refusalRecord) wantReason(t *testing.T, cause string, types ...storage.EventType) {
	t.Helper()
	if cause != "replayed" {
		record.want(t, cause, types...)
		return
	}
	if record.line["cause"] != cause || len(record.events) != 1 || record.events[0].Type != storage.GrantReplayed {
		t.Errorf("cause %v, events %+v", record.line["cause"], record.events)
	}
}

// Every path logs a cause when it refuses a malformed request, for each method.
func TestRefusals_EveryPathLogsACause(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.RegisterApp(t)
		for _, path := range providertest.Routes(t) {
			path = strings.NewReplacer("{$}", "", "{connector}", "google", "{sid}", "x", "{kid}", "x", "{client}", "x", "{id}", "x", "{alg}", "x").Replace(path)
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
				since := len(b.Log.String())
				r, err := http.NewRequest(method, b.Issuer+path, strings.NewReader("password="+canaryPassword+"&x=%zz"))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", providertest.FormType)
				a := providertest.Do(t, providertest.Direct, r)
				if a.StatusCode < 400 {
					continue
				}
				for _, line := range b.RequestLines(t, since) {
					if cause, _ := line["cause"].(string); cause == "" || cause == "internal" {
						t.Errorf("%s %s: got %d without a cause: %v", method, path, a.StatusCode, line)
					}
				}
				if strings.Contains(b.Log.String()[since:], canaryPassword) {
					t.Errorf("%s %s: the log contains the password", method, path)
				}
			}
		}
	})
}

// Many refusals are combined into few events. The requests themselves do not access the database.
func TestRefusals_FloodWritesFewEvents(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		before := len(b.Events(t))
		readsBefore, writesBefore := b.DB.Calls()
		for i := range 1000 {
			providertest.Do(t, providertest.Direct, providertest.NewGetRequest(t, b.AuthorizeURL("redirect_uri", fmt.Sprintf("https://evil.example/%d", i))))
		}
		if reads, writes := b.DB.Calls(); reads != readsBefore || writes != writesBefore {
			t.Errorf("%d reads and %d writes", reads-readsBefore, writes-writesBefore)
		}
		b.NoteRefusals(t)
		events := b.Events(t)
		if made := len(events) - before; made > 3 {
			t.Errorf("%d events", made)
		}
		if times := providertest.CountEvents(events, storage.ClientRefused); times != 1000 {
			t.Errorf("the events count %d refusals, want 1000", times)
		}
	})
}

// If events cannot be written, the next call writes them. No event is lost when the server stops
// or the database does not respond for a while.
func TestRefusals_EventsAreRetriedAfterAFailure(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		refuse := func(path string) {
			providertest.Do(t, providertest.Direct, providertest.NewGetRequest(t, b.AuthorizeURL("redirect_uri", "https://evil.example/"+path)))
		}
		over, stop := context.WithCancel(t.Context())
		stop()
		refuse("first")
		refuse("second")
		for range 2 {
			if err := b.NoteRefusalsOnce(over); err == nil {
				t.Fatal("NoteRefusalsOnce succeeded with a canceled context")
			}
			refuse("meanwhile")
		}
		b.NoteRefusals(t)
		b.NoteRefusals(t) // finds no more events
		list, err := b.DB.Events(t.Context(), storage.EventFilter{Type: storage.ClientRefused}, 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d events, %v", len(list), err)
		}
		if e := list[0]; e.Times != 4 || e.Detail["redirect_uri"] != "https://evil.example/first" || e.Latest.Detail["redirect_uri"] != "https://evil.example/meanwhile" {
			t.Errorf("got %+v", e)
		}
	})
}

// Events are kept for 100 kinds of refusals at a time. A refusal of one more kind has no event, and
// its log line shows this.
func TestRefusals_LogShowsMissingEvent(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for i := range 101 {
			b.Register(t, storage.Web, fmt.Sprintf("many%d", i), providertest.Callback)
		}
		b.Follow(t)
		since := len(b.Log.String())
		for i := range 101 {
			providertest.Do(t, providertest.Direct, providertest.NewGetRequest(t, b.AuthorizeURL("client_id", fmt.Sprintf("many%d", i), "redirect_uri", "https://evil.example/cb")))
		}
		lines := b.RequestLines(t, since)
		if first, last := lines[0], lines[len(lines)-1]; first["event_error"] != nil || last["event_error"] == nil {
			t.Errorf("first %v, last %v", first, last)
		}
	})
}
