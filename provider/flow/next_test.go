package flow

import (
	"slices"
	"testing"
	"time"

	"signet/provider/request"
	"signet/provider/session"
	"signet/storage"
)

// situation is one row of the truth table of NextStep.
type situation struct {
	q       request.Request
	current *session.Current
	client  storage.Client
	consent storage.Consent
	stuck   bool // no way left to sign in again
}

func (s situation) next() Step {
	return NextStep(s.q, s.facts(s.current), tableTime)
}

func (s situation) facts(current *session.Current) Facts {
	other := current != nil && s.q.HintSubject != "" && s.q.HintSubject != current.UserID
	return Facts{Current: current, Client: s.client, Consent: s.consent, NoWayToReauthenticate: s.stuck, OtherUser: other}
}

var tableTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// situations returns every combination of a request and the facts.
func situations(yield func(situation)) {
	prompts := [][]string{nil, {"none"}, {"login"}, {"consent"}, {"select_account"}, {"login", "consent"}, {"login", "select_account"}, {"consent", "select_account"}}
	for _, prompt := range prompts {
		for _, maxAge := range []int64{-1, 0, 60, 3600} {
			for _, hint := range []string{"", "bob"} {
				for _, essential := range [][]string{nil, {"2fa"}} {
					for _, kind := range []request.Kind{request.Code, request.Cookies, request.Page} {
						q := request.Request{
							ID: "this", Kind: kind, Prompt: prompt, HintSubject: hint, EssentialACR: essential,
							Scopes: []string{"openid", "email"}, RedirectURI: "https://app.example.com/",
						}
						if maxAge >= 0 {
							q.MaxAge = &maxAge
						}
						sessions(func(current *session.Current) {
							clients(func(client storage.Client, consent storage.Consent, uri string) {
								q.RedirectURI = uri
								yield(situation{q, current, client, consent, false})
								if current != nil && current.Has(storage.FactArrived, q.ID) {
									yield(situation{q, current, client, consent, true})
								}
							})
						})
					}
				}
			}
		}
	}
}

var tableFacts = []storage.FactKind{
	storage.FactAuthenticated, storage.FactArrived, storage.FactDeclined, storage.FactChosen, storage.FactAllowed, storage.FactDenied,
}

// sessions returns no session, and sessions of alice with each combination of facts. They
// always have facts of another request, which must not count. Alice signed in ten minutes
// ago, and proved her identity then, earlier, or at an unknown time.
func sessions(yield func(*session.Current)) {
	yield(nil)
	for _, age := range []time.Duration{10 * time.Minute, 2 * time.Hour, -1} {
		for facts := range 1 << len(tableFacts) {
			current := &session.Current{Session: storage.Session{
				ID: "ses", UserID: "alice", ACR: "1fa", ArrivedAt: storage.At(tableTime.Add(-10 * time.Minute)),
			}}
			if age >= 0 {
				current.AuthTime = storage.At(tableTime.Add(-age))
			}
			for i, kind := range tableFacts {
				at := storage.At(tableTime.Add(time.Duration(i) * time.Millisecond))
				current.Facts = append(current.Facts, storage.Fact{Kind: kind, At: at, Request: "other"})
				if facts&(1<<i) != 0 {
					current.Facts = append(current.Facts, storage.Fact{Kind: kind, At: at, Request: "this"})
				}
			}
			yield(current)
		}
	}
}

func clients(yield func(client storage.Client, consent storage.Consent, uri string)) {
	for _, consent := range []storage.Consent{{}, {Scopes: []string{"openid"}}, {Scopes: []string{"openid", "email"}}} {
		yield(storage.Client{Type: storage.Web}, consent, "https://app.example.com/")
		yield(storage.Client{Type: storage.Native}, consent, "com.example.app:/callback")
		yield(storage.Client{Type: storage.Native}, consent, "http://127.0.0.1:4711/callback")
	}
	strict := storage.ClientMetadata{RequireAuthTime: true}
	covering := storage.Consent{Scopes: []string{"openid", "email"}}
	yield(storage.Client{Type: storage.Web, Metadata: strict}, covering, "https://app.example.com/")
	yield(storage.Client{Type: storage.Web, PromptLogin: storage.PromptLoginBestEffort}, covering, "https://app.example.com/")
	yield(storage.Client{Type: storage.Web, PromptLogin: storage.PromptLoginBestEffort, Metadata: strict}, storage.Consent{}, "https://app.example.com/")
	yield(storage.Client{Type: storage.Web, FirstParty: true}, storage.Consent{}, "https://app.example.com/")
	yield(storage.Client{Type: storage.SPA, SkipConsent: true}, storage.Consent{}, "https://app.example.com/")
}

// unmet lists the requirements of OIDC Core, section 3.1.2.1, that a situation does not meet.
// It does not depend on the order of NextStep.
func (s situation) unmet() []string {
	if s.current == nil {
		return []string{"session"}
	}
	var missing []string
	need := func(met bool, requirement string) {
		if !met {
			missing = append(missing, requirement)
		}
	}
	has := func(kind storage.FactKind) bool {
		return slices.ContainsFunc(s.current.Facts, func(f storage.Fact) bool { return f.Kind == kind && f.Request == "this" })
	}
	code := s.q.Kind == request.Code
	best := code && s.client.PromptLogin != ""
	known := s.current.AuthTime != 0
	proved := has(storage.FactAuthenticated) && known || best && (has(storage.FactAuthenticated) || has(storage.FactArrived))
	need(s.q.HintSubject == "" || s.q.HintSubject == "alice", "user")
	need(!s.q.Prompts("login") || proved, "login")
	if s.q.MaxAge != nil {
		limit := time.Duration(*s.q.MaxAge) * time.Second
		young := known && tableTime.Sub(s.current.AuthTime.Time()) <= limit || best && tableTime.Sub(s.current.ArrivedAt.Time()) <= limit
		need(proved || limit > 0 && young, "age")
	}
	need(!code || !s.client.Metadata.RequireAuthTime || known || best, "time")
	need(!s.q.Prompts("select_account") || has(storage.FactAuthenticated) || has(storage.FactArrived) || has(storage.FactChosen), "choice")
	need(s.q.EssentialACR == nil || slices.Contains(s.q.EssentialACR, "1fa"), "acr")
	if s.q.Kind == request.Page {
		return missing
	}
	need(!has(storage.FactDenied), "permission")
	covered := len(s.consent.Scopes) == 2 && s.q.RedirectURI[:6] == "https:" && !s.q.Prompts("consent")
	need(has(storage.FactAllowed) || has(storage.FactDenied) || covered || s.client.FirstParty || s.client.SkipConsent, "consent")
	return missing
}

// TestNextStep_TruthTable tries every combination: an answered request lacks nothing, a page
// asks only for something missing, and prompt=none never shows a page.
// AZ-07: prompt=none never shows a page: it answers login_required, consent_required or
// interaction_required (OIDC Core, section 3.1.2.6).
// AZ-08: Back button, reload, a second tab or odd numbers do not get around prompt=login and
// max_age (OIDC Core, section 3.1.2.1).
func TestNextStep_TruthTable(t *testing.T) {
	rows, answered := 0, 0
	situations(func(s situation) {
		rows++
		got := s.next()
		if got == Answer {
			answered++
		}
		if why := wrongStep(s, got, s.unmet()); why != "" {
			t.Fatalf("%s: got %+v, missing %v\nrequest %+v\nsession %+v\nclient %+v\nconsent %+v", why, got, s.unmet(), s.q, s.current, s.client, s.consent)
		}
	})
	if rows < 100_000 || answered < rows/100 {
		t.Fatalf("%d rows, %d of them answered: the table has shrunk", rows, answered)
	}
}

// wrongStep describes the fault of a step; "" if there is none.
func wrongStep(s situation, got Step, missing []string) string {
	lacks := func(requirements ...string) bool {
		return slices.ContainsFunc(requirements, func(w string) bool { return slices.Contains(missing, w) })
	}
	code := ""
	if got.Refusal != nil {
		code = got.Refusal.Code
	}
	switch {
	case got.Page != "" && got.Refusal != nil:
		return "asks and refuses at once"
	case got == Answer && len(missing) > 0:
		return "answers"
	case got != Answer && len(missing) == 0:
		return "does not answer"
	case s.q.Prompts("none") && got.Page != "":
		return "shows a page in spite of prompt=none"
	}
	legitimate := false
	switch got.Page + code {
	case "/login":
		legitimate = lacks("session", "user", "login", "age", "time")
	case "login_required":
		legitimate = lacks("session", "user", "login", "age", "time")
	case "/select":
		legitimate = lacks("choice")
	case "/consent", "consent_required":
		legitimate = lacks("consent")
	case "access_denied":
		legitimate = lacks("permission")
	case "unmet_authentication_requirements":
		legitimate = lacks("acr")
	case "":
		legitimate = true
	}
	if !legitimate {
		return "asks for something, or refuses for something, that is present"
	}
	// The person is asked while there is a way to sign in. The client gets the error with
	// prompt=none, after the person declined, and if there is no way left.
	last := s.current != nil && s.q.Kind == request.Code && (s.current.Has(storage.FactDeclined, "this") || s.stuck)
	silentOnly := code == "consent_required" || (code == "login_required" && !lacks("user") && !last)
	if silentOnly && !s.q.Prompts("none") {
		return "refuses although it could ask the person"
	}
	if got == askSignIn && !lacks("session", "user") && last {
		return "asks again in spite of a no, or of no way to answer"
	}
	if slices.Contains([]string{"/consent", "access_denied", "consent_required"}, got.Page+code) && lacks("session", "user", "login", "age", "time", "choice", "acr") {
		return "asks for consent before it is clear who is asked"
	}
	return ""
}

// TestNextStep_EveryStepLeadsOn checks that a person is never asked the same twice in a row,
// even if the sign-in is old by then.
// AZ-35: A tiny max_age does not cause an endless loop of sign-ins.
func TestNextStep_EveryStepLeadsOn(t *testing.T) {
	leaves := map[string]storage.FactKind{"/login": storage.FactAuthenticated, "/select": storage.FactChosen, "/consent": storage.FactAllowed}
	situations(func(s situation) {
		current := s.current
		if current == nil {
			current = &session.Current{Session: storage.Session{ID: "ses", UserID: "alice", ACR: "1fa"}}
		}
		seen := map[string]bool{}
		got, at := s.next(), tableTime
		for got.Page != "" {
			if seen[got.Page] {
				t.Fatalf("asks again for %s\nrequest %+v\nsession %+v", got.Page, s.q, current)
			}
			seen[got.Page] = true
			next := *current
			if got.Page == "/login" {
				next.AuthTime = storage.At(at)
			}
			next.Facts = append(slices.Clone(current.Facts), storage.Fact{Kind: leaves[got.Page], At: storage.At(at), Request: s.q.ID})
			current, at = &next, at.Add(20*time.Minute) // longer than every max_age
			got = NextStep(s.q, s.facts(current), at)
		}
	})
}
