package interaction_test

import (
	"strings"
	"testing"

	"signet/federation/federationtest"
	"signet/provider/providertest"
)

// The page of a refused answer shows the stable code, but not the cause. The log, which the
// operator reads, names the member that was wrong.
func TestFederation_LogNamesWrongMember(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for member, faults := range map[string]federationtest.Faults{
			"exp is not a number":            {Claims: map[string]any{"exp": "soon"}},
			"email is not a string":          {Claims: map[string]any{"email": []string{"a"}}},
			"at_hash is not a string":        {Claims: map[string]any{"at_hash": 5}},
			"access_token is not a string":   {Token: map[string]any{"access_token": 5}},
			"kid is not a string":            {Header: map[string]any{"kid": 5}},
			"alg \\\"none\\\" is not one of": {Header: map[string]any{"alg": "none"}},
			"has the token's kid":            {Header: map[string]any{"kid": "other"}},
		} {
			up.Liar.SetFaults(faults)
			v, begun := b.Visitor(t), len(b.Log.String())
			refused := v.AuthorizeThrough(t, "liar", "victim")
			if code := wantRefusal(t, v, refused); code != "upstream_untrusted" || strings.Contains(refused.Body, "is not a") {
				t.Errorf("%s: code %s, and the page shows the cause", member, code)
			}
			if logged := b.Log.String()[begun:]; !strings.Contains(logged, member) || !strings.Contains(logged, "upstream_untrusted") {
				t.Errorf("the log does not contain %q:\n%s", member, logged)
			}
		}
	})
}

// Wrong members that the sign-in does not need are ignored, and the log names an optional
// response that failed.
func TestFederation_IgnoresWrongOptionalMembers(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		up.Liar.SetFaults(federationtest.Faults{
			Claims: map[string]any{"name": 5, "picture": []any{}, "_claim_names": 1, "acr": 1, "amr": map[string]any{}},
			Header: map[string]any{"x5c": 5, "jwk": "none"}, Token: map[string]any{"scope": []string{"openid"}, "expires_in": "soon"},
			Keys: func(honest map[string]any) []any {
				return []any{nil, "key", map[string]any{"kty": "EC", "kid": 1}, honest}
			},
		})
		v := b.Visitor(t)
		v.Allow(t, v.AuthorizeThrough(t, "liar", "victim")).Code(t)
		if user := b.UserByEmail(t, providertest.VictimMail); user.Name != "Vic Tim" {
			t.Errorf("the name, which only userinfo contains, is %q", user.Name)
		}
		up.Liar.EditAnswer("/userinfo", func(a *federationtest.Answer) { a.Status = 503 })
		begun := len(b.Log.String())
		again := b.Visitor(t)
		again.AuthorizeThrough(t, "liar", "victim").Code(t)
		if logged := b.Log.String()[begun:]; !strings.Contains(logged, `"upstream_note":"read userinfo: status 503`) {
			t.Errorf("the log does not name the failed response:\n%s", logged)
		}
	})
}

// Unknown callback parameters may be repeated or malformed. Parameters that Signet reads must
// come once.
func TestFederation_IgnoresUnknownCallbackParameters(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for added, fine := range map[string]bool{
			"&scope=a&scope=b": true, "&session_state=%zz": true, "&x=%00&%ff=1;a": true, "&error=": true, "&error_description=%ff": true,
			"&code=x": false, "&state=x": false, "&iss=%zz": false, "&error=access_denied": false,
		} {
			v := b.Visitor(t)
			callback := v.ChooseAccount(t, v.PressConnector(t, v.Get(t, b.AuthorizeURL()), "liar"), "victim")
			end := v.Get(t, callback+added)
			if fine && end.LeftTo == nil && strings.Contains(end.Body, `id="consent"`) {
				end = v.Allow(t, end)
			}
			if fine != (end.LeftTo != nil) {
				t.Errorf("%s: status %d, left to %v", added, end.StatusCode, end.LeftTo)
			}
			if !fine {
				wantRefusal(t, v, end)
			}
		}
	})
}
