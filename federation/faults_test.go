package federation_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/federation"
	"signet/federation/federationtest"
)

type claims = map[string]any

// TestFinish_EveryInvalidAnswerIsRefused sends each invalid value once; all other answers are
// valid.
// FD-07: A wrong or missing nonce in the upstream's ID token is refused.
func TestFinish_EveryInvalidAnswerIsRefused(t *testing.T) {
	untrusted, unreachable := federation.ErrUntrusted, federation.ErrUnreachable
	for name, c := range map[string]struct {
		faults federationtest.Faults
		want   error
	}{
		"alg none":                {federationtest.Faults{Header: claims{"alg": "none"}}, untrusted},
		"alg None":                {federationtest.Faults{Header: claims{"alg": "None"}}, untrusted},
		"HS256 by the public key": {federationtest.Faults{Header: claims{"alg": "HS256"}}, untrusted},
		"alg missing":             {federationtest.Faults{Header: claims{"alg": nil}}, untrusted},
		"wrong key":               {federationtest.Faults{SignByUnpublishedKey: true}, untrusted},
		"unknown kid":             {federationtest.Faults{Header: claims{"kid": "other"}}, untrusted},
		"crit unknown":            {federationtest.Faults{Header: claims{"crit": []string{"x"}, "x": 1}}, untrusted},

		"nonce missing":   {federationtest.Faults{Claims: claims{"nonce": nil}}, untrusted},
		"nonce wrong":     {federationtest.Faults{Claims: claims{"nonce": "other"}}, untrusted},
		"nonce empty":     {federationtest.Faults{Claims: claims{"nonce": ""}}, untrusted},
		"nonce in a list": {federationtest.Faults{Claims: claims{"nonce": []string{"a"}}}, untrusted},

		"iss wrong":             {federationtest.Faults{Claims: claims{"iss": "https://elsewhere.example"}}, untrusted},
		"iss missing":           {federationtest.Faults{Claims: claims{"iss": nil}}, untrusted},
		"iss in a list":         {federationtest.Faults{Claims: claims{"iss": []string{"a"}}}, untrusted},
		"aud wrong":             {federationtest.Faults{Claims: claims{"aud": "other"}}, untrusted},
		"aud missing":           {federationtest.Faults{Claims: claims{"aud": nil}}, untrusted},
		"aud a number":          {federationtest.Faults{Claims: claims{"aud": 1}}, untrusted},
		"aud shared, azp other": {federationtest.Faults{Claims: claims{"aud": []string{"signet-at-elsewhere", "b"}, "azp": "b"}}, untrusted},
		"aud shared, no azp":    {federationtest.Faults{Claims: claims{"aud": []string{"signet-at-elsewhere", "b"}}}, untrusted},
		"azp other":             {federationtest.Faults{Claims: claims{"azp": "b"}}, untrusted},

		"exp past":        {federationtest.Faults{Claims: claims{"exp": newClock().at.Add(-61 * time.Second).Unix()}}, untrusted},
		"exp missing":     {federationtest.Faults{Claims: claims{"exp": nil}}, untrusted},
		"exp a string":    {federationtest.Faults{Claims: claims{"exp": fmt.Sprint(newClock().at.Add(time.Hour).Unix())}}, untrusted},
		"exp beyond time": {federationtest.Faults{Claims: claims{"exp": json.Number("1e300")}}, untrusted},
		"iat future":      {federationtest.Faults{Claims: claims{"iat": newClock().at.Add(2 * time.Minute).Unix()}}, untrusted},
		"iat missing":     {federationtest.Faults{Claims: claims{"iat": nil}}, untrusted},
		"nbf future":      {federationtest.Faults{Claims: claims{"nbf": newClock().at.Add(2 * time.Minute).Unix()}}, untrusted},
		"auth_time soon":  {federationtest.Faults{Claims: claims{"auth_time": newClock().at.Add(2 * time.Minute).Unix()}}, untrusted},
		"auth_time text":  {federationtest.Faults{Claims: claims{"auth_time": "yesterday"}}, untrusted},

		"sub missing":       {federationtest.Faults{Claims: claims{"sub": nil}}, untrusted},
		"sub empty":         {federationtest.Faults{Claims: claims{"sub": ""}}, untrusted},
		"sub a number":      {federationtest.Faults{Claims: claims{"sub": 1234567890123456789}}, untrusted},
		"sub a float":       {federationtest.Faults{Claims: claims{"sub": 1.5}}, untrusted},
		"sub a list":        {federationtest.Faults{Claims: claims{"sub": []string{"victim-1"}}}, untrusted},
		"sub an object":     {federationtest.Faults{Claims: claims{"sub": claims{"a": "b"}}}, untrusted},
		"sub too long":      {federationtest.Faults{Claims: claims{"sub": strings.Repeat("a", 256)}}, untrusted},
		"sub with NUL":      {federationtest.Faults{Claims: claims{"sub": "victim-1\x00"}}, untrusted},
		"sub a surrogate":   {payload(`"sub":"victim-1"`, `"sub":"\ud800"`), untrusted},
		"sub twice":         {payload(`"sub":"victim-1"`, `"sub":"mallory","sub":"victim-1"`), untrusted},
		"sub in two cases":  {payload(`"sub":"victim-1"`, `"sub":"mallory","SUB":"victim-1"`), untrusted},
		"ſub for sub":       {payload(`"sub":"victim-1"`, `"sub":"mallory","ſub":"victim-1"`), untrusted},
		"only SUB":          {payload(`"sub":`, `"SUB":`), untrusted},
		"only ISS":          {payload(`"iss":`, `"ISS":`), untrusted},
		"only AUD":          {payload(`"aud":`, `"AUD":`), untrusted},
		"only EXP":          {payload(`"exp":`, `"EXP":`), untrusted},
		"email twice":       {payload(`"email":`, `"email":"boss@corp.example","email":`), untrusted},
		"claims in a list":  {federationtest.Faults{Payload: func(p []byte) []byte { return append(append([]byte("["), p...), ']') }}, untrusted},
		"claims not JSON":   {federationtest.Faults{Payload: func([]byte) []byte { return []byte("<html>") }}, untrusted},
		"claims then more":  {federationtest.Faults{Payload: func(p []byte) []byte { return append(p, '{', '}') }}, untrusted},
		"email not UTF-8":   {payload(`"victim@corp`, "\"\xff@corp"), untrusted},
		"email too deep":    {payload(`"victim@corp.example"`, strings.Repeat("[", 100)+strings.Repeat("]", 100)), untrusted},
		"email a list":      {federationtest.Faults{Claims: claims{"email": []string{"victim@corp.example"}}}, untrusted},
		"email an object":   {federationtest.Faults{Claims: claims{"email": claims{"a": "b"}}}, untrusted},
		"verified a number": {federationtest.Faults{Claims: claims{"email_verified": 1}}, untrusted},
		"verified yes":      {federationtest.Faults{Claims: claims{"email_verified": "yes"}}, untrusted},
		"verified TRUE":     {federationtest.Faults{Claims: claims{"email_verified": "TRUE"}}, untrusted},
		"verified a list":   {federationtest.Faults{Claims: claims{"email_verified": []bool{true}}}, untrusted},
		"at_hash wrong":     {federationtest.Faults{Claims: claims{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}, untrusted},

		"no ID token":             {federationtest.Faults{Token: claims{"id_token": nil}}, untrusted},
		"ID token empty":          {federationtest.Faults{Token: claims{"id_token": ""}}, untrusted},
		"ID token a number":       {federationtest.Faults{Token: claims{"id_token": 1}}, untrusted},
		"ID token no JWT":         {federationtest.Faults{Token: claims{"id_token": "a.b"}}, untrusted},
		"ID token of five parts":  {federationtest.Faults{Token: claims{"id_token": "a.b.c.d.e"}}, untrusted},
		"ID token endless":        {federationtest.Faults{Token: claims{"id_token": strings.Repeat("a", 100_000)}}, untrusted},
		"ID token as JSON":        {federationtest.Faults{Token: claims{"id_token": `{"payload":"e30","signatures":[]}`}}, untrusted},
		"no access token":         {federationtest.Faults{Token: claims{"access_token": nil}}, untrusted},
		"access token in lines":   {federationtest.Faults{Token: claims{"access_token": "a\r\nX-Admin: 1"}}, untrusted},
		"access token a number":   {federationtest.Faults{Token: claims{"access_token": 1}}, untrusted},
		"token type mac":          {federationtest.Faults{Token: claims{"token_type": "mac"}}, untrusted},
		"tokens and an error":     {federationtest.Faults{Token: claims{"error": "invalid_grant"}}, untrusted},
		"error a number":          {federationtest.Faults{Token: claims{"error": 1}}, untrusted},
		"error unknown":           {federationtest.Faults{Token: claims{"error": "<script>"}, Status: 400}, untrusted},
		"invalid_client":          {federationtest.Faults{Token: claims{"error": "invalid_client"}, Status: 401}, federation.ErrMisconfigured},
		"refused without error":   {federationtest.Faults{Status: 401}, federation.ErrMisconfigured},
		"tokens with status 400":  {federationtest.Faults{Status: 400}, untrusted},
		"temporarily unavailable": {federationtest.Faults{Token: claims{"error": "temporarily_unavailable"}, Status: 400}, unreachable},

		"callback without state":         {callback("state", ""), untrusted},
		"callback with another state":    {callback("state", "AAAAAAAAAAAAAAAAAAAAAAAAAA.x"), untrusted},
		"callback without code":          {callback("code", ""), untrusted},
		"callback with an endless code":  {callback("code", strings.Repeat("a", 5000)), untrusted},
		"callback with a made-up code":   {callback("code", "guess"), untrusted},
		"callback without iss":           {callback("iss", ""), untrusted},
		"callback with another iss":      {callback("iss", "https://elsewhere.example"), untrusted},
		"callback with code and error":   {callback("error", "access_denied"), federation.ErrDenied},
		"callback with an outage":        {callback("error", "temporarily_unavailable"), unreachable},
		"callback with a server error":   {callback("error", "server_error"), unreachable},
		"callback with a bad scope":      {callback("error", "invalid_scope"), federation.ErrMisconfigured},
		"callback with an unknown error": {callback("error", "<b>no</b>"), federation.ErrDenied},

		"userinfo of another":         {lean(claims{"sub": "mallory"}), untrusted},
		"userinfo without sub":        {lean(claims{"sub": nil}), untrusted},
		"userinfo, sub a number":      {lean(claims{"sub": 1}), untrusted},
		"userinfo, verified a number": {lean(claims{"email_verified": 1}), untrusted},
		"userinfo, email a list":      {lean(claims{"email": []string{"a"}}), untrusted},
		"signed userinfo of another": {federationtest.Faults{
			LeanIDToken: true, SignedUserInfo: true, UserInfo: claims{"sub": "mallory"}}, untrusted},
		"signed userinfo for another": {federationtest.Faults{
			LeanIDToken: true, SignedUserInfo: true, UserInfo: claims{"aud": "other"}}, untrusted},
		"signed userinfo by another": {federationtest.Faults{
			LeanIDToken: true, SignedUserInfo: true, UserInfo: claims{"iss": "https://elsewhere.example"}}, untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			l, up := lying(t, nil)
			l.SetFaults(c.faults)
			up.mustRefuse(t, "victim", c.want)
		})
	}
}

// payload replaces a part of the text of the ID token's claims.
func payload(old, now string) federationtest.Faults {
	return federationtest.Faults{Payload: func(p []byte) []byte { return bytes.Replace(p, []byte(old), []byte(now), 1) }}
}

func callback(name, value string) federationtest.Faults {
	return federationtest.Faults{Callback: map[string]string{name: value}}
}

func lean(userinfo claims) federationtest.Faults {
	return federationtest.Faults{LeanIDToken: true, UserInfo: userinfo}
}

// TestFinish_ValidVariantsAreAccepted shows that the cases above fail because of the named value:
// similar valid values are accepted.
func TestFinish_ValidVariantsAreAccepted(t *testing.T) {
	for name, f := range map[string]federationtest.Faults{
		"aud in a list":          {Claims: claims{"aud": []string{"signet-at-elsewhere"}}},
		"aud shared, azp ours":   {Claims: claims{"aud": []string{"signet-at-elsewhere", "b"}, "azp": "signet-at-elsewhere"}},
		"clock behind by 50 s":   {Claims: claims{"exp": newClock().at.Add(-50 * time.Second).Unix()}},
		"clock ahead by 50 s":    {Claims: claims{"iat": newClock().at.Add(50 * time.Second).Unix()}},
		"times with a fraction":  {Claims: claims{"iat": float64(newClock().at.Unix()) + 0.5}},
		"no kid":                 {Header: claims{"kid": nil}},
		"no typ":                 {Header: claims{"typ": nil}},
		"verified as a string":   {Claims: claims{"email_verified": "true"}},
		"sub of 255 bytes":       {Claims: claims{"sub": strings.Repeat("a", 255)}},
		"token type in capitals": {Token: claims{"token_type": "BEARER"}},
		"no prompt values":       {Discovery: claims{"prompt_values_supported": nil}},
		"no algorithms named":    {Discovery: claims{"id_token_signing_alg_values_supported": nil}},
		"nested case variants":   {Claims: claims{"resource_access": claims{"App": 1, "app": 2}}},
		"lean ID token":          {LeanIDToken: true},
		"signed userinfo":        {LeanIDToken: true, SignedUserInfo: true},
	} {
		t.Run(name, func(t *testing.T) {
			l, up := lying(t, nil)
			l.SetFaults(f)
			if i := up.mustSignIn(t, "victim"); i.Email != "victim@corp.example" || !i.EmailVerified {
				t.Errorf("got address %q, verified %v", i.Email, i.EmailVerified)
			}
		})
	}
}

// FD-20: An upstream that redirects a call to another host is refused (ZITADEL CVE-2025-67494).
func TestFinish_EveryWireFault(t *testing.T) {
	untrusted, unreachable := federation.ErrUntrusted, federation.ErrUnreachable
	wires := map[string]struct {
		fault federationtest.WireFault
		want  error
	}{
		"HTML":         {federationtest.HTML, untrusted},
		"garbage":      {federationtest.Garbage, untrusted},
		"empty":        {federationtest.Empty, untrusted},
		"server error": {federationtest.ServerError, unreachable},
		"too many":     {federationtest.TooMany, unreachable},
		"slow":         {federationtest.Slow, unreachable},
		"drip":         {federationtest.Drip, unreachable},
		"huge":         {federationtest.Huge, untrusted},
		"reset":        {federationtest.Reset, unreachable},
		"elsewhere":    {federationtest.Elsewhere, untrusted},
		"loop":         {federationtest.Loop, untrusted},
		"gzip bomb":    {federationtest.GzipBomb, untrusted},
		"doubled":      {federationtest.Doubled, untrusted},
	}
	for _, endpoint := range []string{"discovery", "jwks", "token", "userinfo"} {
		for name, c := range wires {
			t.Run(endpoint+", "+name, func(t *testing.T) {
				t.Parallel()
				l, up := lying(t, func(c *federation.Config) { c.Timeout = 2 * time.Second })
				if endpoint == "discovery" {
					l.SetFaults(federationtest.Faults{Wire: map[string]federationtest.WireFault{endpoint: c.fault}})
					_, _, err := up.Start(t.Context(), federation.Options{RedirectURI: redirectURI})
					if !errors.Is(err, c.want) {
						t.Fatalf("Start: got %v, want %v", err, c.want)
					}
					checkErrorContract(t, err, l.ClientSecret)
					return
				}
				a, back := up.visit(t, "victim")
				l.SetFaults(federationtest.Faults{LeanIDToken: true, Wire: map[string]federationtest.WireFault{endpoint: c.fault}})
				begun := time.Now()
				_, err := up.finish(t, a, back)
				if !errors.Is(err, c.want) {
					t.Fatalf("Finish: got %v, want %v", err, c.want)
				}
				checkErrorContract(t, err, l.ClientSecret)
				if took := time.Since(begun); took > 15*time.Second {
					t.Errorf("it took %v", took)
				}
				if n := l.CountRequests("POST /token"); n != 1 {
					t.Errorf("the code was sent %d times, want once", n)
				}
			})
		}
	}
}

func TestFinish_UnreachableUpstream(t *testing.T) {
	l, up := lying(t, nil)
	a, back := up.visit(t, "victim")
	l.Close()
	if _, err := up.finish(t, a, back); !errors.Is(err, federation.ErrUnreachable) {
		t.Errorf("Finish: got %v, want ErrUnreachable", err)
	}
	_, later := lying(t, func(c *federation.Config) { c.Issuer = l.URL })
	if _, _, err := later.Start(t.Context(), federation.Options{RedirectURI: redirectURI}); !errors.Is(err, federation.ErrUnreachable) {
		t.Errorf("Start: got %v, want ErrUnreachable", err)
	}
}

// TestDiscovery_InvalidDocumentIsRefused covers the first fetch of the document.
// FD-18: a discovery document with another issuer, or with endpoints on http or another host.
// FD-20: such endpoints in private networks, files and scripts (ZITADEL CVE-2026-55671).
func TestDiscovery_InvalidDocumentIsRefused(t *testing.T) {
	for name, lie := range map[string]claims{
		"other issuer":             {"issuer": "https://elsewhere.example"},
		"issuer with a slash":      {"issuer": "SLASH"},
		"no issuer":                {"issuer": nil},
		"issuer a list":            {"issuer": []string{"a"}},
		"token endpoint elsewhere": {"token_endpoint": "https://elsewhere.example/token"},
		"token endpoint on http":   {"token_endpoint": "http://elsewhere.example/token"},
		"other port":               {"token_endpoint": "http://127.0.0.1:1/token"},
		"keys elsewhere":           {"jwks_uri": "https://elsewhere.example/jwks"},
		"keys in a file":           {"jwks_uri": "file:///etc/passwd"},
		"keys inline":              {"jwks_uri": "data:application/json,{}"},
		"userinfo inside":          {"userinfo_endpoint": "http://169.254.169.254/latest/meta-data"},
		"userinfo with a password": {"userinfo_endpoint": "http://a:b@127.0.0.1/"},
		"no token endpoint":        {"token_endpoint": nil},
		"no keys":                  {"jwks_uri": nil},
		"authorization by script":  {"authorization_endpoint": "javascript:alert(1)"},
		"authorization elsewhere":  {"authorization_endpoint": "https://elsewhere.example/authorize"},
		"algorithms a number":      {"id_token_signing_alg_values_supported": 1},
	} {
		t.Run(name, func(t *testing.T) {
			l, up := lying(t, nil)
			if lie["issuer"] == "SLASH" {
				lie = claims{"issuer": l.URL + "/"}
			}
			l.SetFaults(federationtest.Faults{Discovery: lie})
			_, to, err := up.Start(t.Context(), federation.Options{RedirectURI: redirectURI})
			if !errors.Is(err, federation.ErrUntrusted) {
				t.Fatalf("got %q, %v; want ErrUntrusted", to, err)
			}
			checkErrorContract(t, err)
			if report := up.Probe(t.Context(), redirectURI); !errors.Is(report.Err, federation.ErrUntrusted) {
				t.Errorf("Probe: got %v, want ErrUntrusted", report.Err)
			}
		})
	}
}

// TestDiscovery_DocumentThatBecomesInvalidIsRefused covers later fetches: the cached valid document
// is not used any more.
// FD-18: a discovery document with another issuer, or with endpoints on http or another host.
func TestDiscovery_DocumentThatBecomesInvalidIsRefused(t *testing.T) {
	l, up := lying(t, nil)
	up.mustSignIn(t, "victim")
	l.SetFaults(federationtest.Faults{Discovery: claims{"token_endpoint": "https://elsewhere.example/token"}})
	up.clock.move(2 * time.Hour)
	for range 2 {
		if _, _, err := up.Start(t.Context(), federation.Options{RedirectURI: redirectURI}); !errors.Is(err, federation.ErrUntrusted) {
			t.Errorf("got %v, want ErrUntrusted", err)
		}
	}
	l.SetFaults(federationtest.Faults{})
	up.clock.move(time.Minute)
	up.mustSignIn(t, "victim")
}

func TestFinish_RepeatedCallbackParameterIsRefused(t *testing.T) {
	_, up := lying(t, nil)
	for _, name := range []string{"state", "code", "iss"} {
		a, back := up.visit(t, "victim")
		back[name] = append(back[name], "other")
		if _, err := up.finish(t, a, back); !errors.Is(err, federation.ErrUntrusted) {
			t.Errorf("%s twice: got %v, want ErrUntrusted", name, err)
		}
	}
}

func TestFinish_EmptyAttemptIsRefused(t *testing.T) {
	l, up := lying(t, nil)
	real, back := up.visit(t, "victim")
	for _, a := range []federation.Attempt{{}, {Connector: "up", IssuerHash: real.IssuerHash, Started: up.clock.now().UnixMilli()}} {
		for _, callback := range []url.Values{back, {}, {"state": {""}, "code": {"x"}, "iss": {l.URL}}} {
			if i, err := up.finish(t, a, callback); !errors.Is(err, federation.ErrUntrusted) {
				t.Errorf("got %+v, %v; want ErrUntrusted", i, err)
			}
		}
	}
}
