package federation_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/federation"
	"signet/federation/federationtest"
)

// probeTrial is an upstream at which a probe and a sign-in are compared.
type probeTrial struct {
	*federationtest.Lying
	client *http.Client
	config federation.Config
	clock  *clock
	ahead  time.Duration // how far the upstream's clock is ahead
}

func startProbeTrial(t *testing.T) *probeTrial {
	t.Helper()
	o := &probeTrial{clock: newClock(), client: client(t)}
	var err error
	o.Lying, err = federationtest.StartLying(federationtest.Setup{
		RedirectURIs: []string{redirectURI}, Now: func() time.Time { return o.clock.now().Add(o.ahead) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	o.reset()
	return o
}

func (o *probeTrial) reset() {
	o.SetFaults(federationtest.Faults{RequireClientAuth: true})
	o.config = federation.Config{
		Kind: federation.OIDC, ClientID: o.ClientID, ClientSecret: federation.NewSecret(o.ClientSecret), Issuer: o.URL,
	}
	o.ahead = 0
}

// connector returns a new connector with an empty cache.
func (o *probeTrial) connector(t *testing.T) *trial {
	t.Helper()
	o.config.ID = "up"
	made, err := federation.New(o.config, o.client, o.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	return &trial{made, o.clock, o.client}
}

// signIn goes through a whole sign-in. reached is false if the upstream did not redirect the
// browser to the callback.
func (o *probeTrial) signIn(t *testing.T) (reached bool, err error) {
	t.Helper()
	up := o.connector(t)
	a, to, err := up.Start(t.Context(), federation.Options{RedirectURI: redirectURI})
	if err != nil {
		return true, err
	}
	browser := *up.client
	browser.Timeout = cmp.Or(o.config.Timeout, 5*time.Second)
	back, err := federationtest.ChooseAccount(&browser, to, "victim")
	if err != nil {
		return false, err
	}
	_, err = up.finish(t, a, back)
	return true, err
}

// checkAgreement compares a probe with a sign-in at the same upstream. If the probe finds no
// fault, the sign-in must succeed; else it must fail with the same code and cause. It returns
// the error of the sign-in.
func (o *probeTrial) checkAgreement(t *testing.T, situation string) error {
	t.Helper()
	r := o.connector(t).Probe(t.Context(), redirectURI)
	if r.Err != nil {
		checkErrorContract(t, r.Err, o.ClientSecret)
	}
	reached, err := o.signIn(t)
	switch {
	case (r.Err == nil) != (err == nil):
		t.Errorf("%s: the probe ends with %v and warnings %q, the sign-in with %v", situation, r.Err, r.Warnings, err)
	case err == nil || !reached: // then err is of the test's browser and has none of our codes
	case federation.ErrorCode(r.Err) != federation.ErrorCode(err):
		t.Errorf("%s: the probe ends with %v, the sign-in with %v", situation, r.Err, err)
	case !strings.HasSuffix(err.Error(), r.Err.Error()) && !haveSameCause(r.Err, err):
		t.Errorf("%s: the probe names another cause (%v) than the sign-in (%v)", situation, r.Err, err)
	}
	return err
}

// haveSameCause reports whether the two errors have the same cause in different words. Only a
// token shows which key is missing and which time is wrong, and it is chance which call times
// out.
func haveSameCause(probe, signIn error) bool {
	for _, cause := range []string{"key", "iat", "no answer in time"} {
		if strings.Contains(probe.Error(), cause) && strings.Contains(signIn.Error(), cause) {
			return true
		}
	}
	return false
}

func TestProbe_AgreesWithSignIns_AboutMetadata(t *testing.T) {
	t.Parallel()
	o := startProbeTrial(t)
	discovery := documents["discovery"]
	groups := [][]string{strings.Fields(discovery.unread)}
	for _, r := range discovery.deciding {
		groups = append(groups, []string{r.name})
	}
	for _, names := range groups {
		for how := range malformations {
			o.EditAnswer(discovery.path, func(a *federationtest.Answer) {
				for _, name := range names {
					a.Body = malformed(t, a.Body, name, how)
				}
			})
			o.checkAgreement(t, fmt.Sprintf("%v malformed: %s", names, how))
		}
	}
}

// TestProbe_AgreesWithSignIns_AboutKeys malforms each member of a key, once as the only key and
// once together with a valid key.
func TestProbe_AgreesWithSignIns_AboutKeys(t *testing.T) {
	t.Parallel()
	o := startProbeTrial(t)
	read := map[string]string{ // by member: the malformations that do not matter
		"kty": "", "crv": "", "x": "", "y": "", "kid": "absent; null; empty", "alg": "absent; null; empty", "use": "absent; null; empty",
		"key_ops": "absent; null; empty", "d": "absent; null",
	}
	groups := [][]string{strings.Fields("n e x5c x5t x5t#S256 x5u iat exp nbf ext x_unknown")}
	for name := range read {
		groups = append(groups, []string{name})
	}
	for _, names := range groups {
		name := names[0]
		fine, used := read[name]
		for how := range malformations {
			if name == "kid" && how == "text" {
				continue // only a token shows that the key has another id
			}
			o.publishMalformed(t, names, how)
			err := o.checkAgreement(t, fmt.Sprintf("%v of a key alone is %s", names, how))
			if want := !used || strings.Contains("; "+fine+"; ", "; "+how+"; "); (err == nil) != want {
				t.Errorf("%s of a key alone is %s: %v", name, how, err)
			}
		}
		// All malformed keys at once, with a valid key in the middle.
		o.publishMalformed(t, names, slices.Collect(maps.Keys(malformations))...)
		if err := o.checkAgreement(t, fmt.Sprintf("%v of keys beside a good one", names)); err != nil {
			t.Errorf("%s of keys beside a good one is malformed: %v", name, err)
		}
	}
}

// publishMalformed publishes the key with malformed members, one key for each malformation. If
// there are several, the valid key is among them.
func (o *probeTrial) publishMalformed(t *testing.T, names []string, hows ...string) {
	t.Helper()
	o.EditAnswer("/jwks", func(a *federationtest.Answer) {
		good := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(a.Body)), `{"keys":[`), `]}`)
		var keys []string
		for _, how := range hows {
			bad := []byte(good)
			for _, name := range names {
				bad = malformed(t, bad, name, how)
			}
			keys = append(keys, string(bad))
		}
		if len(keys) > 1 {
			keys = slices.Insert(keys, len(keys)/2, good)
		}
		a.Body = []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`)
	})
}

func TestProbe_AgreesWithSignIns_AboutWireFaults(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"discovery", "jwks", "authorize", "token"} {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			o := startProbeTrial(t)
			for fault := federationtest.HTML; fault <= federationtest.Doubled; fault++ {
				if endpoint == "authorize" && unseenByProbe[fault] {
					continue
				}
				o.config.Timeout = 0
				if fault == federationtest.Slow || fault == federationtest.Drip {
					o.config.Timeout = 500 * time.Millisecond
				}
				o.SetFaults(federationtest.Faults{Wire: map[string]federationtest.WireFault{endpoint: fault}})
				o.checkAgreement(t, fmt.Sprintf("fault %d of %s", fault, endpoint))
			}
		})
	}
}

// unseenByProbe lists faults of the sign-in page that a probe cannot find, because it does not
// read the page.
var unseenByProbe = map[federationtest.WireFault]bool{
	federationtest.HTML: true, federationtest.Empty: true, federationtest.Drip: true, federationtest.Huge: true, federationtest.Doubled: true,
	federationtest.Reset: true, federationtest.GzipBomb: true, federationtest.Elsewhere: true, federationtest.Loop: true,
}

var paths = map[string]string{
	"discovery": "/.well-known/openid-configuration", "keys": "/jwks", "sign-in page": "/authorize", "token": "/token",
}

// TestProbe_AgreesWithSignIns_AboutStatuses answers with each status and an HTML page.
func TestProbe_AgreesWithSignIns_AboutStatuses(t *testing.T) {
	t.Parallel()
	o := startProbeTrial(t)
	for name, path := range paths {
		for _, status := range []int{204, 400, 401, 403, 404, 405, 410, 429, 500, 503} {
			unclear := name == "token" && status == 400 || name == "sign-in page" && (status == 204 || status == 403)
			if unclear { // then the probe only warns
				continue
			}
			o.EditAnswer(path, func(a *federationtest.Answer) {
				*a = federationtest.Answer{Status: status, Header: http.Header{"Content-Type": {"text/html"}}, Body: []byte("<h1>no</h1>")}
			})
			o.checkAgreement(t, fmt.Sprintf("%s answers %d", name, status))
		}
		o.EditAnswer(path, nil)
	}
}

// TestProbe_AgreesWithSignIns_AboutEncodings: a document is accepted in any encoding and with any
// content type.
func TestProbe_AgreesWithSignIns_AboutEncodings(t *testing.T) {
	t.Parallel()
	o := startProbeTrial(t)
	for name, path := range paths {
		if name == "sign-in page" {
			continue
		}
		for dress, f := range encodings {
			o.EditAnswer(path, f)
			if err := o.checkAgreement(t, name+" as "+dress); err != nil {
				t.Errorf("%s as %s: %v", name, dress, err)
			}
		}
		o.EditAnswer(path, nil)
	}
}

// encodings lists ways to send the same JSON document.
var encodings = map[string]func(*federationtest.Answer){
	"text/html": func(a *federationtest.Answer) { a.Header.Set("Content-Type", "text/html") },
	"no type":   func(a *federationtest.Answer) { a.Header.Del("Content-Type"); a.Header["Content-Type"] = nil },
	"odd case":  func(a *federationtest.Answer) { a.Header.Set("Content-Type", `Application/JSON ; Charset="UTF-8"`) },
	"malformed type": func(a *federationtest.Answer) {
		a.Header.Set("Content-Type", `application/json; charset; charset=utf-8;;`)
	},
	"jwk-set+json":     func(a *federationtest.Answer) { a.Header.Set("Content-Type", "application/jwk-set+json") },
	"byte order mark":  func(a *federationtest.Answer) { a.Body = append([]byte("\xef\xbb\xbf"), a.Body...) },
	"blanks around it": func(a *federationtest.Answer) { a.Body = []byte("\r\n\t " + string(a.Body) + " \r\n") },
	"gzip":             gzipped,
	"400 kB":           func(a *federationtest.Answer) { a.Body = append([]byte(strings.Repeat(" ", 400<<10)), a.Body...) },
	"chunks":           func(a *federationtest.Answer) { a.Header.Set("Transfer-Encoding", "chunked") },
}

// TestProbe_AgreesWithSignIns_AboutSettings changes the client's credentials, the keys and the
// clocks.
func TestProbe_AgreesWithSignIns_AboutSettings(t *testing.T) {
	t.Parallel()
	o := startProbeTrial(t)
	text, _ := keyPEM(t)
	for what, c := range map[string]struct {
		change func()
		good   bool
	}{
		"valid settings": {func() {}, true},
		"wrong secret":   {func() { o.config.ClientSecret = federation.NewSecret("wrong") }, false},
		"wrong secret, by post": {func() {
			o.config.ClientSecret, o.config.ClientAuth = federation.NewSecret("wrong"), "client_secret_post"
		}, false},
		"secret by post":                   {func() { o.config.ClientAuth = "client_secret_post" }, true},
		"unknown client":                   {func() { o.config.ClientID = "another" }, false},
		"no secret":                        {func() { o.config.ClientSecret = federation.Secret{} }, false},
		"an unknown client key":            {func() { o.config.ClientSecret, o.config.ClientKey = federation.Secret{}, text }, false},
		"issuer with a slash":              {func() { o.config.Issuer += "/" }, false},
		"an algorithm it supports":         {func() { o.config.Algorithms = []string{"ES256"} }, true},
		"an algorithm it does not support": {func() { o.config.Algorithms = []string{"RS256"} }, false},
		"its clock is 59 s ahead":          {func() { o.ahead = 59 * time.Second }, true},
		"its clock is 70 s ahead":          {func() { o.ahead = 70 * time.Second }, false},
		"its clock is 59 s behind":         {func() { o.ahead = -59 * time.Second }, true},
		"its clock is 5 min behind":        {func() { o.ahead = -5 * time.Minute }, true}, // its tokens live 5 min
		"keys of another kind":             {func() { o.publishKeys("EdDSA") }, false},
		"keys of several kinds":            {func() { o.publishKeys("EdDSA", "ES256", "RS256") }, true},
		"no keys":                          {func() { o.publishKeys() }, false},
		"an advertised algorithm":          {func() { o.signBy("PS512") }, true},
	} {
		o.reset()
		c.change()
		if err := o.checkAgreement(t, what); (err == nil) != c.good {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// publishKeys publishes one key for each of the algorithms. It is the signing key if the
// algorithm is that of the signing key.
func (o *probeTrial) publishKeys(algorithms ...string) {
	o.SetFaults(federationtest.Faults{Keys: func(honest map[string]any) []any {
		keys := []any{}
		for _, algorithm := range algorithms {
			if algorithm == honest["alg"] {
				keys = append(keys, honest)
				continue
			}
			keys = append(keys, federationtest.NewPublicJWK(algorithm))
		}
		return keys
	}})
}

func (o *probeTrial) signBy(algorithm string) {
	o.SetFaults(federationtest.Faults{SignBy: algorithm, Discovery: claims{"id_token_signing_alg_values_supported": []string{algorithm}}})
}

// TestProbe_UnregisteredRedirectURIIsFound, although no person signs in.
func TestProbe_UnregisteredRedirectURIIsFound(t *testing.T) {
	o := startProbeTrial(t)
	r := o.connector(t).Probe(t.Context(), redirectURI+"x")
	if !errors.Is(r.Err, federation.ErrMisconfigured) || !strings.Contains(r.Err.Error(), "redirect URI") {
		t.Errorf("got %v", r.Err)
	}
}

// TestProbe_ImmediateCallbackIsCheckedAsInSignIn: the upstream redirects to the callback without
// showing a page.
func TestProbe_ImmediateCallbackIsCheckedAsInSignIn(t *testing.T) {
	for query, want := range map[string]error{
		"error=invalid_scope&state=STATE&iss=ISS":                             federation.ErrMisconfigured,
		"error=unauthorized_client&state=STATE&iss=ISS":                       federation.ErrMisconfigured,
		"error=invalid_scope&state=STATE&iss=https%3A%2F%2Felsewhere.example": federation.ErrUntrusted,
		"error=invalid_scope&state=other":                                     federation.ErrUntrusted,
		"error=temporarily_unavailable&state=STATE&iss=ISS":                   federation.ErrUnreachable,
		"code=x&state=STATE&iss=ISS":                                          nil,
	} {
		o := startProbeTrial(t)
		o.EditAnswer("/authorize", func(a *federationtest.Answer) {
			asked := o.LastAuthorization()
			to := strings.NewReplacer("STATE", asked.Get("state"), "ISS", "http%3A%2F%2F"+strings.TrimPrefix(o.URL, "http://")).Replace(query)
			*a = federationtest.Answer{Status: http.StatusFound, Header: http.Header{"Location": {redirectURI + "?" + to}}}
		})
		if r := o.connector(t).Probe(t.Context(), redirectURI); !errors.Is(r.Err, want) || (want == nil) != (r.Err == nil) {
			t.Errorf("%s: got %v, want %v", query, r.Err, want)
		}
	}
}

// TestProbe_WarnsOfFaultsThatStopFewSignIns: the report has a warning and no error.
func TestProbe_WarnsOfFaultsThatStopFewSignIns(t *testing.T) {
	for what, c := range map[string]struct {
		change func(*probeTrial)
		want   string
	}{
		"userinfo is gone":         {func(o *probeTrial) { o.answerStatus("/userinfo", 404) }, "read userinfo: status 404"},
		"userinfo is down":         {func(o *probeTrial) { o.answerStatus("/userinfo", 503) }, "read userinfo: status 503"},
		"sign-in page forbidden":   {func(o *probeTrial) { o.answerStatus("/authorize", 403) }, "status 403"},
		"a refusal without a code": {func(o *probeTrial) { o.answerStatus("/token", 400) }, "could not be checked"},
		"no PKCE":                  {func(o *probeTrial) { o.advertise("code_challenge_methods_supported", []string{"plain"}) }, "PKCE"},
		"another response type":    {func(o *probeTrial) { o.advertise("response_types_supported", []string{"id_token"}) }, "response type code"},
		"another grant type":       {func(o *probeTrial) { o.advertise("grant_types_supported", []string{"implicit"}) }, "authorization_code"},
		"another authentication":   {func(o *probeTrial) { o.advertise("token_endpoint_auth_methods_supported", []string{"tls_client_auth"}) }, "client_secret_basic"},
		"a clock that is behind":   {func(o *probeTrial) { o.ahead = -70 * time.Second }, "behind"},
		"an unusable key": {func(o *probeTrial) {
			o.SetFaults(federationtest.Faults{Keys: func(k map[string]any) []any { return []any{nil, k} }})
		}, "1 of its keys"},
	} {
		o := startProbeTrial(t)
		c.change(o)
		r := o.connector(t).Probe(t.Context(), redirectURI)
		if r.Err != nil || !strings.Contains(strings.Join(r.Warnings, "\n"), c.want) {
			t.Errorf("%s: got %v and %q, want a warning of %q", what, r.Err, r.Warnings, c.want)
		}
	}
}

func (o *probeTrial) answerStatus(path string, answerStatus int) {
	o.EditAnswer(path, func(a *federationtest.Answer) { *a = federationtest.Answer{Status: answerStatus} })
}

func (o *probeTrial) advertise(member string, value any) {
	o.SetFaults(federationtest.Faults{Discovery: maps.Clone(claims{member: value})})
}

// TestGitHubProbe_AgreesWithSignIns: GitHub has no metadata, so the probe makes the calls of a
// sign-in.
func TestGitHubProbe_AgreesWithSignIns(t *testing.T) {
	for what, c := range map[string]struct {
		change func(*federationtest.GitHub, *federation.Config)
		good   bool
	}{
		"valid settings": {func(*federationtest.GitHub, *federation.Config) {}, true},
		"wrong secret":   {func(_ *federationtest.GitHub, c *federation.Config) { c.ClientSecret = federation.NewSecret("wrong") }, false},
		"unknown client": {func(_ *federationtest.GitHub, c *federation.Config) { c.ClientID = "another" }, false},
		"no API":         {func(g *federationtest.GitHub, _ *federation.Config) { answerNotFound(g, "/api/v3/user") }, false},
		"no token":       {func(g *federationtest.GitHub, _ *federation.Config) { answerNotFound(g, "/login/oauth/access_token") }, false},
		"no page":        {func(g *federationtest.GitHub, _ *federation.Config) { answerNotFound(g, "/login/oauth/authorize") }, false},
		"no meta":        {func(g *federationtest.GitHub, _ *federation.Config) { answerNotFound(g, "/api/v3/meta") }, true},
	} {
		var config federation.Config
		g, up := gitHub(t, func(c *federation.Config) { config = *c })
		c.change(g, &config)
		up = connect(t, config, up.clock)
		r := up.Probe(t.Context(), redirectURI)
		if (r.Err == nil) != c.good {
			t.Errorf("%s: the probe ends with %v", what, r.Err)
		}
		a, to := up.start(t, federation.Options{})
		back, err := federationtest.ChooseAccount(up.client, to, "octo")
		if err == nil {
			_, err = up.finish(t, a, back)
		}
		if (err == nil) != c.good {
			t.Errorf("%s: the sign-in ends with %v", what, err)
		}
	}
}

func answerNotFound(g *federationtest.GitHub, path string) {
	g.EditAnswer(path, func(a *federationtest.Answer) { *a = federationtest.Answer{Status: http.StatusNotFound} })
}

func gzipped(a *federationtest.Answer) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(a.Body)
	z.Close()
	a.Header.Set("Content-Encoding", "GZip")
	a.Body = packed.Bytes()
}
