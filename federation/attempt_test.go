package federation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/federation"
	"signet/federation/federationtest"
)

func TestStart_AuthorizationRequest(t *testing.T) {
	l, up := lying(t, func(c *federation.Config) { c.Scopes = []string{"groups", "email"} })
	a, to := up.start(t, federation.Options{LoginHint: "vic@corp.example"})
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"client_id": l.ClientID, "redirect_uri": redirectURI, "response_type": "code", "scope": "openid profile email groups",
		"state": a.State, "nonce": a.Nonce, "code_challenge_method": "S256", "login_hint": "vic@corp.example",
		"prompt": "", "max_age": "", "hd": "", "response_mode": "",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if strings.Contains(to, a.Verifier) || len(a.Verifier) < 43 {
		t.Error("the verifier is too short, or is in the URL")
	}
	if federation.AttemptID(a.State) != a.ID {
		t.Errorf("AttemptID(%q) is not %q", a.State, a.ID)
	}
	if a.Started != up.clock.now().UnixMilli() || a.Connector != "up" || len(a.IssuerHash) != 16 {
		t.Errorf("got attempt %+v", a)
	}
}

func TestAttempt_JSONRoundTrip(t *testing.T) {
	_, up := lying(t, nil)
	age := int64(300)
	a, _ := up.start(t, federation.Options{Fresh: true, MaxAge: &age})
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var again federation.Attempt
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if again.ID != a.ID || again.State != a.State || again.Nonce != a.Nonce || again.Verifier != a.Verifier || *again.MaxAge != 300 || !again.Fresh {
		t.Errorf("got %s back", text)
	}
	if len(text) > 150 || strings.Contains(string(text), a.Verifier) || strings.Contains(string(text), a.State) {
		t.Errorf("the JSON of an attempt has %d bytes, or contains a secret", len(text))
	}
	if shown := fmt.Sprintf("%v %+v %#v", a, a, a); strings.Contains(shown, a.Verifier) || strings.Contains(shown, a.State) {
		t.Errorf("printing shows secrets: %s", shown)
	}
}

func TestAttempt_RandomValuesDiffer(t *testing.T) {
	_, up := lying(t, nil)
	a, _ := up.start(t, federation.Options{})
	b, _ := up.start(t, federation.Options{})
	if a.ID == b.ID || a.State == b.State || a.Nonce == b.Nonce || a.Verifier == b.Verifier {
		t.Error("two attempts share a random value")
	}
}

func TestAttemptID_InvalidStateGivesNone(t *testing.T) {
	for _, state := range []string{"", ".", "x.y", "AAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAA.", "aaaaaaaaaaaaaaaaaaaaaaaaaa.b", "../../../../../../../../AA.b"} {
		if id := federation.AttemptID(state); id != "" {
			t.Errorf("AttemptID(%q) is %q", state, id)
		}
	}
}

// FD-05: state is missing, wrong, expired, used twice, or made in another browser.
func TestFinish_StateOfAnotherAttemptIsRefused(t *testing.T) {
	_, up := lying(t, nil)
	mine, _ := up.start(t, federation.Options{})
	_, others := up.visit(t, "victim")
	if _, err := up.finish(t, mine, others); !errors.Is(err, federation.ErrUntrusted) {
		t.Errorf("another browser's callback: got %v, want ErrUntrusted", err)
	}
	_, mine2 := up.visit(t, "victim")
	mine2.Set("state", mine.ID+".")
	if _, err := up.finish(t, mine, mine2); !errors.Is(err, federation.ErrUntrusted) {
		t.Errorf("the id alone: got %v, want ErrUntrusted", err)
	}
}

// FD-05: state is missing, wrong, expired, used twice, or made in another browser.
// FD-07: An ID token that the upstream made for an earlier attempt of the same user is refused.
func TestFinish_IDTokenOfAnEarlierAttemptIsRefused(t *testing.T) {
	l, up := lying(t, nil)
	earlier, back := up.visit(t, "victim")
	if _, err := up.finish(t, earlier, back); err != nil {
		t.Fatal(err)
	}
	l.SetFaults(federationtest.Faults{Claims: claims{"nonce": earlier.Nonce}})
	later, back := up.visit(t, "victim")
	if later.Nonce == earlier.Nonce {
		t.Fatal("two attempts have the same nonce")
	}
	if _, err := up.finish(t, later, back); !errors.Is(err, federation.ErrUntrusted) {
		t.Errorf("got %v, want ErrUntrusted", err)
	}
}

func TestFinish_ReplayedCallbackIsRefused(t *testing.T) {
	_, up := lying(t, nil)
	a, back := up.visit(t, "victim")
	if _, err := up.finish(t, a, back); err != nil {
		t.Fatal(err)
	}
	if _, err := up.finish(t, a, back); !errors.Is(err, federation.ErrUntrusted) {
		t.Errorf("got %v, want ErrUntrusted", err)
	}
}

// FD-05: state is missing, wrong, expired, used twice, or made in another browser.
func TestFinish_ExpiredAttemptIsRefused(t *testing.T) {
	_, up := lying(t, nil)
	for _, d := range []time.Duration{10*time.Minute + time.Second, -2 * time.Minute} {
		a, back := up.visit(t, "victim")
		up.clock.move(d)
		if _, err := up.finish(t, a, back); !errors.Is(err, federation.ErrUntrusted) {
			t.Errorf("after %v: got %v, want ErrUntrusted", d, err)
		}
		up.clock.move(-d)
	}
}

// TestFinish_CallbackOfAnotherUpstreamIsRefused delivers the answer of one upstream to the
// connector of another upstream with otherwise the same settings.
// FD-06: mix-up: the sign-in starts at one upstream and ends at the callback of another.
func TestFinish_CallbackOfAnotherUpstreamIsRefused(t *testing.T) {
	_, honest := lying(t, func(c *federation.Config) { c.ID = "honest" })
	_, evil := lying(t, func(c *federation.Config) { c.ID = "evil" })
	a, back := evil.visit(t, "victim")
	if _, err := honest.finish(t, a, back); !errors.Is(err, federation.ErrUntrusted) {
		t.Errorf("evil's attempt at honest: got %v, want ErrUntrusted", err)
	}
	mine, _ := honest.start(t, federation.Options{})
	back.Set("state", mine.State)
	if _, err := honest.finish(t, mine, back); !errors.Is(err, federation.ErrUntrusted) {
		t.Errorf("evil's iss at honest: got %v, want ErrUntrusted", err)
	}
}

// TestFinish_ChangedIssuerEndsOldAttempts: if a connector is pointed at another upstream, it does
// not finish attempts from the old one, and its identities have another issuer.
// FD-04: an administrator changes the issuer of a connector; old links must not match.
func TestFinish_ChangedIssuerEndsOldAttempts(t *testing.T) {
	_, before := lying(t, nil)
	_, after := lying(t, nil)
	a, back := before.visit(t, "victim")
	if _, err := after.finish(t, a, back); !errors.Is(err, federation.ErrUntrusted) {
		t.Errorf("got %v, want ErrUntrusted", err)
	}
	if before.mustSignIn(t, "victim").Issuer == after.mustSignIn(t, "victim").Issuer {
		t.Error("two upstreams under one id give identities that match")
	}
}

// FD-33: the upstream answers with code and error together.
func TestFinish_ErrorWinsOverCode(t *testing.T) {
	l, up := lying(t, nil)
	a, back := up.visit(t, "victim")
	back.Set("error", "access_denied")
	if _, err := up.finish(t, a, back); !errors.Is(err, federation.ErrDenied) {
		t.Errorf("got %v, want ErrDenied", err)
	}
	if n := l.CountRequests("POST /token"); n != 0 {
		t.Errorf("the code was redeemed %d times although there was an error", n)
	}
}

func TestFinish_DeniedSignIn(t *testing.T) {
	_, g := google(t, nil)
	g.mustRefuse(t, "", federation.ErrDenied)
	_, h := gitHub(t, nil)
	h.mustRefuse(t, "", federation.ErrDenied)
	_, l := lying(t, nil)
	l.mustRefuse(t, "", federation.ErrDenied)
}

// TestFinish_ErrorDescriptionIsNotRepeated: the upstream's error_description is not in the error,
// so that it can reach neither a page nor the log.
// FD-21: error_description from the upstream contains HTML.
func TestFinish_ErrorDescriptionIsNotRepeated(t *testing.T) {
	l, up := lying(t, nil)
	l.SetFaults(federationtest.Faults{Callback: map[string]string{"error": "access_denied", "error_description": "<script>alert(1)</script>"}})
	_, err := up.signIn(t, "victim")
	if !errors.Is(err, federation.ErrDenied) || strings.Contains(err.Error(), "script") {
		t.Errorf("got %v", err)
	}
}

// FD-34: re-authentication through an upstream that answers from its own session.
func TestFinish_FreshOnlyByAuthTime(t *testing.T) {
	for name, c := range map[string]struct {
		options  federation.Options
		authTime any // seconds from the start of the attempt; nil: none
		want     bool
	}{
		"requested, new":             {federation.Options{Fresh: true}, 1, true},
		"requested, within the skew": {federation.Options{Fresh: true}, -60, true},
		"requested, old session":     {federation.Options{Fresh: true}, -61, false},
		"requested, no auth_time":    {federation.Options{Fresh: true}, nil, false},
		"max_age 0, new":             {federation.Options{MaxAge: new(int64)}, 1, true},
		"max_age 0, old session":     {federation.Options{MaxAge: new(int64)}, -3600, false},
		"not requested, new":         {federation.Options{}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			l, up := lying(t, nil)
			lie := claims{"auth_time": nil}
			if s, ok := c.authTime.(int); ok {
				lie["auth_time"] = up.clock.now().Unix() + int64(s)
			}
			l.SetFaults(federationtest.Faults{Claims: lie})
			a, to := up.start(t, c.options)
			if want := c.options.Fresh; strings.Contains(to, "prompt=login") != want {
				t.Errorf("prompt=login in %s, want %v", to, want)
			}
			if want := c.options.Fresh || c.options.MaxAge != nil; strings.Contains(to, "max_age=0") != want {
				t.Errorf("max_age=0 in %s, want %v", to, want)
			}
			back, err := federationtest.ChooseAccount(up.client, to, "victim")
			if err != nil {
				t.Fatal(err)
			}
			i, err := up.finish(t, a, back)
			if err != nil {
				t.Fatal(err)
			}
			if i.Fresh != c.want {
				t.Errorf("Fresh is %v, want %v (auth_time %v)", i.Fresh, c.want, i.AuthTime)
			}
		})
	}
}

// TestReauthenticates_ReplacesOnlyMissingAuthTime: with the setting, a missing auth_time counts as
// a new authentication if one was requested. The setting does not overrule a present auth_time.
func TestReauthenticates_ReplacesOnlyMissingAuthTime(t *testing.T) {
	yes, no := true, false
	for name, c := range map[string]struct {
		setting  *bool
		options  federation.Options
		authTime any // seconds from the start of the attempt; nil: none
		fresh    bool
		known    bool
	}{
		"true, requested, no auth_time":             {&yes, federation.Options{Fresh: true}, nil, true, true},
		"true, requested by max_age 0":              {&yes, federation.Options{MaxAge: new(int64)}, nil, true, true},
		"true, requested, old auth_time":            {&yes, federation.Options{Fresh: true}, -3600, false, true},
		"true, not requested, no auth_time":         {&yes, federation.Options{}, nil, false, false},
		"true, only auth_time requested, none sent": {&yes, federation.Options{AuthTime: true}, nil, false, false},
		"false, requested, no auth_time":            {&no, federation.Options{Fresh: true}, nil, false, false},
		"false, requested, new auth_time":           {&no, federation.Options{Fresh: true}, 1, true, true},
		"not set, requested, no auth_time":          {nil, federation.Options{Fresh: true}, nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			l, up := lying(t, func(config *federation.Config) { config.Reauthenticates = c.setting })
			lie := claims{"auth_time": nil}
			if s, ok := c.authTime.(int); ok {
				lie["auth_time"] = up.clock.now().Unix() + int64(s)
			}
			l.SetFaults(federationtest.Faults{Claims: lie})
			a, to := up.start(t, c.options)
			if want := c.options.AuthTime; strings.Contains(to, "max_age=31536000") != want {
				t.Errorf("max_age of a year in %s, want %v", to, want)
			}
			back, err := federationtest.ChooseAccount(up.client, to, "victim")
			if err != nil {
				t.Fatal(err)
			}
			i, err := up.finish(t, a, back)
			if err != nil || i.Fresh != c.fresh || (i.AuthTime != 0) != c.known || i.AuthTime > up.clock.now().Add(2*time.Second).UnixMilli() {
				t.Errorf("got fresh %v, auth_time %d, %v; want fresh %v, known %v", i.Fresh, i.AuthTime, err, c.fresh, c.known)
			}
		})
	}
}

// TestReauthenticates_Presets checks the default of each kind. Google and GitHub refuse the
// setting, because they do not support prompt=login.
func TestReauthenticates_Presets(t *testing.T) {
	yes := true
	for kind, want := range map[federation.Kind]federation.Reauthentication{
		federation.Google: federation.ReportsAuthTime, federation.GitHub: federation.NeverReauthenticates, federation.OIDC: federation.ReportsAuthTime,
		federation.Microsoft: federation.AlwaysReauthenticates, federation.Apple: federation.ReportsAuthTime, federation.GitLab: federation.ReportsAuthTime,
	} {
		config := minimalConfig(t, kind)
		made, err := federation.New(config, http.DefaultClient, time.Now)
		if err != nil || made.Reauthenticates() != want {
			t.Errorf("%s: %v, %v; want %v", kind, made, err, want)
		}
		config.Reauthenticates = &yes
		_, err = federation.New(config, http.DefaultClient, time.Now)
		if refused := kind == federation.Google || kind == federation.GitHub; errors.Is(err, federation.ErrMisconfigured) != refused {
			t.Errorf("%s with reauthenticates: %v, want it refused: %v", kind, err, refused)
		}
	}
}

// FD-34: re-authentication through an upstream that answers from its own session.
func TestGitHub_IsNeverFresh(t *testing.T) {
	_, up := gitHub(t, nil)
	a, to := up.start(t, federation.Options{Fresh: true})
	if !strings.Contains(to, "prompt=select_account") {
		t.Errorf("prompt=select_account is not in %s", to)
	}
	back, err := federationtest.ChooseAccount(up.client, to, "octo")
	if err != nil {
		t.Fatal(err)
	}
	if i, err := up.finish(t, a, back); err != nil || i.Fresh || i.AuthTime != 0 {
		t.Errorf("got fresh %v, auth_time %d, %v", i.Fresh, i.AuthTime, err)
	}
}

// FD-34: re-authentication through an upstream that answers from its own session.
func TestGoogle_IsAskedForAuthTime(t *testing.T) {
	_, up := google(t, nil)
	a, to := up.start(t, federation.Options{Fresh: true})
	back, err := federationtest.ChooseAccount(up.client, to, "ada") // fails if the request has prompt=login
	if err != nil {
		t.Fatal(err)
	}
	if i, err := up.finish(t, a, back); err != nil || !i.Fresh {
		t.Errorf("got fresh %v, %v", i.Fresh, err)
	}
}

func TestStart_BadRedirectURI(t *testing.T) {
	_, up := lying(t, nil)
	for _, uri := range []string{"", "/login/up/callback", "https://id.example.com/cb#x", "://"} {
		if _, _, err := up.Start(t.Context(), federation.Options{RedirectURI: uri}); !errors.Is(err, federation.ErrMisconfigured) {
			t.Errorf("%q: got %v, want ErrMisconfigured", uri, err)
		}
	}
}

// TestCallbackValues_UnknownParametersAreIgnored: unknown parameters may have any value. The
// callback is refused ("!") if a known parameter is repeated or cannot be decoded.
func TestCallbackValues_UnknownParametersAreIgnored(t *testing.T) {
	for query, want := range map[string]string{
		"":                             "",
		"state=a&code=b&iss=c":         "code=b&iss=c&state=a",
		"code=b&scope=a&scope=b":       "code=b",
		"code=b&junk=%zz&%zz=1&=1&&x":  "code=b",
		"code=b;c&a;b=1":               "code=b%3Bc",
		"code=b&x=%00&y=%ff&%ff=%00":   "code=b",
		"code=b&error=":                "code=b",
		"code=b&CODE=c":                "code=b",
		"c%6fde=b&session_state=a%2Eb": "code=b",
		"code=a&code=b":                "!",
		"code=a&c%6fde=a":              "!",
		"code=%zz":                     "!",
		"code=%00":                     "!",
		"state=%ff":                    "!",
	} {
		values, err := federation.CallbackValues(query)
		if got := values.Encode(); got != strings.TrimSuffix(want, "!") || (err != nil) != (want == "!") {
			t.Errorf("%s: got %s, %v", query, got, err)
		}
	}
}

// TestFinish_UnknownCallbackParametersAreIgnored, also if they are repeated or malformed.
func TestFinish_UnknownCallbackParametersAreIgnored(t *testing.T) {
	_, up := lying(t, nil)
	a, back := up.visit(t, "victim")
	for _, name := range []string{"scope", "session_state", "authuser", "hd", "prompt", "id_token", "error_description", "error_uri"} {
		back[name] = []string{"\x00", "\xff", ""}
	}
	back.Set("error", "")
	if _, err := up.finish(t, a, back); err != nil {
		t.Error(err)
	}
}
