package oauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// Secrets that requests carry in these tests, and that neither log nor event may have.
const (
	canaryVerifier = "canary-verifier-dBjftJeZ4CVP-mB92K27uhbUJU1p1r"
	canarySecret   = "canary-secret"
	canaryPassword = "canary-password"
	canaryQuery    = "canary-query"
)

// refused is what the log and the audit events tell of one refused request.
type refused struct {
	line   map[string]any
	events []storage.Event
}

// refusal makes one request and gives what is told of it.
func refusal(t *testing.T, b *providertest.Testbed, ask func() providertest.Answer) refused {
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
		t.Fatalf("no line of the log: %d %s", a.StatusCode, a.Body)
	}
	told := refused{line: lines[len(lines)-1]}
	for _, e := range b.Events(t) {
		if e.Times > before[e.ID] {
			told.events = append(told.events, e)
		}
	}
	all := b.Log.String()[since:] + fmt.Sprintf("%+v", told.events)
	for _, secret := range []string{canaryVerifier, canarySecret, canaryPassword, canaryQuery, b.Secret, providertest.Verifier} {
		if secret != "" && strings.Contains(all, secret) {
			t.Errorf("log or event has the secret %q: %s", secret, all)
		}
	}
	return told
}

// want wants a cause in the log, and it as the reason of an event of each of these
// types; of none, if there are none.
func (told refused) want(t *testing.T, cause string, types ...storage.EventType) {
	t.Helper()
	if told.line["cause"] != cause {
		t.Errorf("cause %v, want %s: %v", told.line["cause"], cause, told.line)
	}
	if len(told.events) != len(types) {
		t.Errorf("%s: events %+v, want %v", cause, told.events, types)
		return
	}
	for _, kind := range types {
		found := false
		for _, e := range told.events {
			found = found || e.Type == kind && e.Reason == cause && e.Outcome == storage.Refused
		}
		if !found {
			t.Errorf("%s: no event %s of it among %+v", cause, kind, told.events)
		}
	}
}

// authorizeRefusals are bad authorization requests: the parameters that make them so,
// and the cause. Each cause of the source is among them, or excepted below.
var authorizeRefusals = []struct {
	cause string
	pairs []string
}{
	{"unknown_client", []string{"client_id", "nobody"}},
	{"client_id_missing", []string{"client_id", ""}},
	{"redirect_uri_missing", []string{"redirect_uri", ""}},
	{"redirect_uri_not_registered", []string{"redirect_uri", "https://user:" + canarySecret + "@evil.example/cb?token=" + canaryQuery + "#" + canaryQuery}},
	{"response_mode_unknown", []string{"response_mode", "pigeon"}},
	{"response_type_missing", []string{"response_type", ""}},
	{"response_type_unknown", []string{"response_type", "code token"}},
	{"request_object", []string{"request", "x.y.z"}},
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

// These causes need a session, a change of the client meanwhile, or an upstream. They are
// noted in the same way; tests of their own show when.
var elsewhereRefused = []string{
	"grant_type_not_allowed", "code_not_bound", "hint_contradicts", "consent_needed", "proof_needed", "proof_declined", "upstream_not_fresh", "other_user",
	"acr_not_reached", "user_denied",
}

func TestRefusals_EachOfAuthorizeHasItsCause(t *testing.T) {
	listed := map[string]bool{}
	for _, cause := range elsewhereRefused {
		listed[cause] = true
	}
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		for _, r := range authorizeRefusals {
			listed[r.cause] = true
			told := refusal(t, b, func() providertest.Answer {
				return providertest.Do(t, providertest.Direct, providertest.NewGetRequest(t, b.AuthorizeURL(r.pairs...)))
			})
			if r.cause == "unknown_client" || r.cause == "client_id_missing" {
				told.want(t, r.cause)
			} else {
				told.want(t, r.cause, storage.ClientRefused)
			}
			if r.cause == "unknown_client" && told.line["claimed_client_id"] != "nobody" {
				t.Errorf("the log does not name the client as claimed: %v", told.line)
			}
			if r.cause == "redirect_uri_not_registered" {
				const want = "https://evil.example/cb"
				if told.line["redirect_uri"] != want || told.events[0].Detail["redirect_uri"] != want || told.events[0].ClientID != b.Client.ID {
					t.Errorf("the redirect URI is not told: %v, %+v", told.line, told.events)
				}
			}
		}
	})
	for _, file := range []string{"authparams.go", "../flow/next.go"} {
		for _, cause := range causesIn(t, file, `\bRefuse\("([a-z_]+)"`) {
			if !listed[cause] {
				t.Errorf("%s: the cause %s is in no table of refusals", file, cause)
			}
		}
	}
}

// causesIn finds the causes that a file of the source gives.
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
		t.Fatalf("%s has no cause", file)
	}
	return causes
}

// tokenScene is what requests at the token endpoint need.
type tokenScene struct {
	*providertest.Testbed
	other, public *providertest.Testbed // other clients
	code          string                // fresh
	tokens        map[string]any
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

// tokenRefusals are bad requests at the token endpoint, with the events they leave.
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
	{"assertion_not_supported", nil, func(t *testing.T, s *tokenScene) providertest.Answer {
		return s.ask(t, s.CodeForm(s.code, "client_assertion", canarySecret), "", "")
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
	// The owner's grant and the client that presents it both have an event.
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
	{"client_disabled", []storage.EventType{storage.ClientRefused}, func(t *testing.T, s *tokenScene) providertest.Answer {
		s.SetClientEnabledByID(t, s.other.Client.ID, false)
		s.Follow(t)
		return s.other.TokenRequest(t, s.CodeForm(s.code))
	}},
}

// freshCode is a code of alice's next sign-in.
func (s *tokenScene) freshCode(t *testing.T) string {
	t.Helper()
	v := s.Visitor(t)
	return v.SignIn(t, v.Get(t, s.AuthorizeURL()), providertest.Alice, providertest.Password).Code(t)
}

func TestRefusals_EachOfTokenHasItsCause(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		s := &tokenScene{Testbed: b}
		otherClient, otherSecret := b.Register(t, storage.Web, "other", providertest.Callback)
		publicClient, _ := b.Register(t, storage.SPA, "public", "https://spa.example.com/cb")
		s.other, s.public = b.AsClient(otherClient, otherSecret), b.AsClient(publicClient, "")
		v := b.Visitor(t)
		s.tokens = b.Redeem(t, v.SignInForCode(t))
		s.code = v.CodeFromSession(t)
		for _, r := range tokenRefusals {
			t.Run(r.cause, func(t *testing.T) {
				// The events of what comes before the refusal are no matter of it.
				told := refusal(t, b, func() providertest.Answer { return r.ask(t, s) })
				told.events = onlyRefused(told.events)
				told.wantReason(t, r.cause, r.types...)
				claimed, _ := told.line["claimed_client_id"].(string)
				if claimed == "" && r.cause != "client_id_missing" && r.cause != "malformed_basic" && r.cause != "assertion_not_supported" {
					t.Errorf("the log does not tell which client asks: %v", told.line)
				}
				for _, event := range told.events {
					if event.Type == storage.GrantRefused && r.cause == "foreign_code" &&
						(event.UserID != b.Alice.ID || event.ClientID != b.Client.ID || event.Detail["claimed_client_id"] != "other") {
						t.Errorf("the event does not tell whose it is and who presents it: %+v", event)
					}
				}
			})
		}
	})
	listed := map[string]bool{
		// Shown where they arise: limits, narrowing, panics, other endpoints.
		"throttled": true, "panic": true, "client_authentication": true, "token_missing": true, "wrong_method": true, "public_client": true,
		"resources_lost": true, "nothing_left": true, "scope_lost": true, "authorization_details": true, "scope_not_allowed": true,
		"verifier_without_challenge": true, "redirect_uri_not_registered": true,
	}
	for _, r := range tokenRefusals {
		listed[r.cause] = true
	}
	for file, pattern := range map[string]string{
		"../flow/narrow.go": `because\("([a-z_]+)"`, "errors.go": `because\("([a-z_]+)"`, "clientauth.go": `unauthenticated\("([a-z_]+)"`, "code.go": `Because\("([a-z_]+)"`, "refresh.go": `Because\("(unknown[a-z_]+)"`,
	} {
		for _, cause := range causesIn(t, file, pattern) {
			if !listed[cause] {
				t.Errorf("%s: the cause %s is in no table of refusals", file, cause)
			}
		}
	}
}

func onlyRefused(events []storage.Event) (list []storage.Event) {
	for _, e := range events {
		if e.Outcome == storage.Refused {
			list = append(list, e)
		}
	}
	return list
}

// wantReason is want, but that a replay's event has a reason of its own.
func (told refused) wantReason(t *testing.T, cause string, types ...storage.EventType) {
	t.Helper()
	if cause != "replayed" {
		told.want(t, cause, types...)
		return
	}
	if told.line["cause"] != cause || len(told.events) != 1 || told.events[0].Type != storage.GrantReplayed {
		t.Errorf("cause %v, events %+v", told.line["cause"], told.events)
	}
}

// Every path answers garbage with a cause, by every method.
func TestRefusals_EachPathNamesACause(t *testing.T) {
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
						t.Errorf("%s %s: %d without a cause: %v", method, path, a.StatusCode, line)
					}
				}
				if strings.Contains(b.Log.String()[since:], canaryPassword) {
					t.Errorf("%s %s: the log has the password", method, path)
				}
			}
		}
	})
}

// A flood of refusals leaves few events, and costs storage no call of its own.
func TestRefusals_AFloodLeavesFewEvents(t *testing.T) {
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
			t.Errorf("%d refusals are told", times)
		}
	})
}

// Events that could not be written when they were due are written by the next call: a
// server that stops, or a database that does not answer for a while, loses no event.
func TestRefusals_AreWrittenLaterIfTheyCannotBeNow(t *testing.T) {
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
				t.Fatal("nothing can be written in a context that has ended")
			}
			refuse("meanwhile")
		}
		b.NoteRefusals(t)
		b.NoteRefusals(t) // nothing is left
		list, err := b.DB.Events(t.Context(), storage.EventFilter{Type: storage.ClientRefused}, 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d events, %v", len(list), err)
		}
		if e := list[0]; e.Times != 4 || e.Detail["redirect_uri"] != "https://evil.example/first" || e.Latest.Detail["redirect_uri"] != "https://evil.example/meanwhile" {
			t.Errorf("got %+v", e)
		}
	})
}

// A refusal that is one kind too many has no event, and its line of the log says so.
func TestRefusals_LogNamesWhatHasNoEvent(t *testing.T) {
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
