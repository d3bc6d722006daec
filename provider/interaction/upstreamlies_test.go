package interaction_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/federation/federationtest"
	"signet/provider"
	"signet/provider/providertest"
)

// lies generates faults: each has one wrong field, at an upstream that is honest otherwise.
func lies() map[string]federationtest.Faults {
	all := map[string]federationtest.Faults{
		"wrong key":            {SignByUnpublishedKey: true},
		"HS256 by public key":  {Header: map[string]any{"alg": "HS256"}},
		"alg none":             {Header: map[string]any{"alg": "none"}},
		"unknown kid":          {Header: map[string]any{"kid": "other"}},
		"crit unknown":         {Header: map[string]any{"crit": []string{"x"}, "x": 1}},
		"other sub (userinfo)": {LeanIDToken: true, UserInfo: map[string]any{"sub": "mallory"}},
		"no code":              {Callback: map[string]string{"code": ""}},
		"made-up code":         {Callback: map[string]string{"code": "guess"}},
		"no iss":               {Callback: map[string]string{"iss": ""}},
		"other iss":            {Callback: map[string]string{"iss": "https://elsewhere.example"}},
		"error in HTML":        {Callback: map[string]string{"error": "<b>no</b>"}},
		"error text in HTML":   {Callback: map[string]string{"error": "server_error", "error_description": "<script>alert(1)</script>"}},
		"other state":          {Callback: map[string]string{"state": "AAAAAAAAAAAAAAAAAAAAAAAAAA.x"}},
		"no state":             {Callback: map[string]string{"state": ""}},
		"sub of 256 bytes":     {Claims: map[string]any{"sub": strings.Repeat("a", 256)}},
	}
	wrong := map[string]any{"missing": nil, "an object": map[string]any{"a": 1}, "a list": []any{1}, "true": true}
	members := map[string]func(string, any) federationtest.Faults{
		"iss sub nonce exp iat": func(name string, v any) federationtest.Faults {
			return federationtest.Faults{Claims: map[string]any{name: v}}
		},
		"id_token access_token token_type": func(name string, v any) federationtest.Faults {
			return federationtest.Faults{Token: map[string]any{name: v}}
		},
		"alg": func(name string, v any) federationtest.Faults {
			return federationtest.Faults{Header: map[string]any{name: v}}
		},
	}
	for names, make := range members {
		for name := range strings.FieldsSeq(names) {
			for how, v := range wrong {
				all[name+" "+how] = make(name, v)
			}
		}
	}
	delete(all, "token_type missing") // without token_type, Bearer is assumed
	for _, name := range []string{"iss", "aud", "nonce", "azp"} {
		all[name+" another's"] = providertest.ChangeClaim(name, "https://elsewhere.example")
	}
	for name, v := range map[string]int64{"exp": -3600, "iat": 3600, "nbf": 3600, "auth_time": 3600} {
		all[fmt.Sprintf("%s off by %d", name, v)] = providertest.ChangeClaim(name, time.Now().Unix()+v)
	}
	return all
}

var stableCodes = []string{"upstream_untrusted", "upstream_unreachable", "upstream_denied", "connector_misconfigured", "unknown_attempt"}

// wantRefusal fails unless the page has one of the stable codes and nobody is signed in. It
// returns the code.
func wantRefusal(t *testing.T, v *providertest.Visitor, s providertest.Stop) string {
	t.Helper()
	for _, code := range stableCodes {
		if strings.Contains(s.Body, "<code>"+code+"</code>") {
			status := map[string]int{"upstream_denied": http.StatusForbidden, "unknown_attempt": http.StatusBadRequest}[code]
			if status == 0 {
				status = http.StatusBadGateway
			}
			v.WantProblem(t, s, status, code)
			if strings.Contains(s.Body, "<script>alert") || strings.Contains(s.Body, "<b>no") {
				t.Error("the page shows text of the upstream")
			}
			return code
		}
	}
	t.Fatalf("no stable code at %s, status %d, left to %v:\n%s", s.At, s.StatusCode, s.LeftTo, s.Body)
	return ""
}

func TestFederation_EveryLieShowsPage(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		all := lies()
		codes := map[string]int{}
		for name, faults := range all {
			t.Run(name, func(t *testing.T) {
				up.Liar.SetFaults(faults)
				v := b.Visitor(t)
				codes[wantRefusal(t, v, v.AuthorizeThrough(t, "liar", "victim"))]++
			})
		}
		t.Logf("%d lies: %v", len(all), codes)
		b.WantNoUser(t, providertest.VictimMail)
		up.Liar.SetFaults(federationtest.Faults{}) // without a fault, the sign-in works
		v := b.Visitor(t)
		v.Allow(t, v.AuthorizeThrough(t, "liar", "victim")).Code(t)
	})
}

func TestFederation_EveryTransportFaultShowsPage(t *testing.T) {
	for _, endpoint := range []string{"discovery", "jwks", "token", "userinfo"} {
		t.Run(endpoint, func(t *testing.T) {
			for fault := federationtest.HTML; fault <= federationtest.Doubled; fault++ {
				providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
					faults := federationtest.Faults{LeanIDToken: true, Wire: map[string]federationtest.WireFault{endpoint: fault}}
					v := b.Visitor(t)
					page := v.Get(t, b.AuthorizeURL())
					var begun time.Time
					var refused providertest.Stop
					if endpoint == "discovery" {
						up.Liar.SetFaults(faults)
						begun = time.Now()
						refused = v.Submit(t, page.FormTo(t, "/login/liar", "", ""))
					} else {
						callback := v.ChooseAccount(t, v.PressConnector(t, page, "liar"), "victim")
						up.Liar.SetFaults(faults)
						begun = time.Now()
						refused = v.Get(t, callback)
					}
					code := wantRefusal(t, v, refused)
					if code != "upstream_untrusted" && code != "upstream_unreachable" {
						t.Errorf("fault %d: code %s", fault, code)
					}
					if took := time.Since(begun); took > 15*time.Second {
						t.Errorf("fault %d: the answer took %v", fault, took)
					}
					b.WantNoUser(t, providertest.VictimMail)
					wantWayBack(t, v, refused)
				}, providertest.ChangeConnector("liar", func(c *provider.Connector) { c.Timeout = 300 * time.Millisecond }))
			}
		})
	}
}
