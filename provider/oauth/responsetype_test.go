package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// allowResponseTypes registers the client of the testbed for every response type.
func allowResponseTypes(t *testing.T, b *providertest.Testbed) {
	t.Helper()
	b.Client.Metadata.GrantTypes = append(slices.Clone(b.Client.Metadata.GrantTypes), storage.GrantImplicit)
	b.Client.Metadata.ResponseTypes = storage.ResponseTypeNames()
	b.ChangeClient(t, func(*storage.Client) {})
}

// leftHalf is the hash of at_hash and c_hash for RS256 (OIDC Core, section 3.3.2.11).
func leftHalf(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// P-17, P-44, P-45, P-46, P-47: each response type returns its code and tokens in the fragment, with
// right hashes, one subject, and the claims of the scopes in the ID token only without an access token.
func TestResponseType_EachReturnsItsTokens(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		allowResponseTypes(t, b)
		v := b.Visitor(t)
		v.SignInForCode(t, "scope", "openid profile email offline_access")
		for _, words := range []string{
			"id_token", "id_token token", "token id_token", "code id_token", "id_token code", "code token", "token code",
			"code id_token token", "token  id_token code",
		} {
			kind, _ := storage.FindResponseType(words)
			s := v.Get(t, b.AuthorizeURL("response_type", words, "scope", "openid profile email offline_access", "nonce", "n "+words))
			if s.LeftTo == nil || s.LeftTo.Fragment == "" || s.LeftTo.RawQuery != "from=signet" {
				t.Fatalf("%s: status %d, left to %v", words, s.StatusCode, s.LeftTo)
			}
			got := s.Response(t)
			checkMembers(t, words, got, kind)
			subjects := map[any]bool{}
			if kind.IDToken {
				claims := providertest.ClaimsOf(t, got.Get("id_token"))
				checkFrontChannelIDToken(t, words, got, claims)
				subjects[claims["sub"]] = true
				if withClaims := claims["email"] != nil && claims["given_name"] != nil; withClaims != (words == "id_token") {
					t.Errorf("%s: the ID token has claims of the scopes: %v", words, claims)
				}
			}
			if kind.Token {
				checkFrontChannelAccess(t, words, b, got)
				subjects[b.Userinfo(t, got.Get("access_token")).JSON(t)["sub"]] = true
			}
			if kind.Code {
				tokens := b.Redeem(t, got.Get("code"))
				subjects[providertest.ClaimsOf(t, tokens["id_token"])["sub"]] = true
				if !strings.Contains(tokens["scope"].(string), "offline_access") || tokens["refresh_token"] == nil {
					t.Errorf("%s: the code gives %v, want offline access", words, tokens["scope"])
				}
			}
			if len(subjects) != 1 || !subjects[b.Alice.ID] {
				t.Errorf("%s: the subjects are %v", words, subjects)
			}
		}
	})
}

func checkMembers(t *testing.T, words string, got url.Values, kind storage.ResponseType) {
	t.Helper()
	want := map[string]bool{
		"code": kind.Code, "id_token": kind.IDToken, "access_token": kind.Token, "token_type": kind.Token, "expires_in": kind.Token, "scope": kind.Token,
		"state": true, "iss": true,
	}
	for name := range got {
		if !want[name] {
			t.Errorf("%s: the response has %s", words, name)
		}
	}
	for name, is := range want {
		if is && got.Get(name) == "" {
			t.Errorf("%s: the response has no %s", words, name)
		}
	}
}

func checkFrontChannelIDToken(t *testing.T, words string, got url.Values, claims map[string]any) {
	t.Helper()
	for claim, of := range map[string]string{"at_hash": "access_token", "c_hash": "code"} {
		want := any(nil)
		if got.Has(of) {
			want = leftHalf(got.Get(of))
		}
		if claims[claim] != want {
			t.Errorf("%s: %s is %v, want %v", words, claim, claims[claim], want)
		}
	}
	if claims["nonce"] != "n "+words || claims["auth_time"] == nil || claims["sid"] == nil {
		t.Errorf("%s: nonce, auth_time or sid is wrong: %v", words, claims)
	}
}

// The access token is short-lived, and its scope lacks offline_access.
func checkFrontChannelAccess(t *testing.T, words string, b *providertest.Testbed, got url.Values) {
	t.Helper()
	claims := providertest.ClaimsOf(t, got.Get("access_token"))
	issued, _ := claims["iat"].(json.Number).Int64()
	expires, _ := claims["exp"].(json.Number).Int64()
	life := expires - issued
	if got.Get("token_type") != "Bearer" || got.Get("expires_in") != strconv.FormatInt(life, 10) || life > 300 {
		t.Errorf("%s: token_type %s, expires_in %s, life %d s", words, got.Get("token_type"), got.Get("expires_in"), life)
	}
	if got.Get("scope") != "openid profile email" || claims["scope"] != got.Get("scope") {
		t.Errorf("%s: scope %q, in the token %q", words, got.Get("scope"), claims["scope"])
	}
}

// P-20: nonce is required if the response has an ID token. P-15, AZ-11, AZ-12: what a client may not
// have is refused, in the fragment.
func TestResponseType_RefusalsAreInFragment(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		plain := b.AsClient(b.Register(t, storage.Web, "plain", providertest.Callback))
		allowResponseTypes(t, b)
		v := b.Visitor(t)
		v.SignInForCode(t)
		for _, kind := range storage.ResponseTypeNames()[1:] {
			for name, c := range map[string]struct {
				bed   *providertest.Testbed
				pairs []string
				code  string
			}{
				"query":          {b, []string{"response_mode", "query"}, "invalid_request"},
				"not registered": {plain, nil, "unauthorized_client"},
				"not consented":  {b, []string{"prompt", "none", "scope", "openid phone"}, "consent_required"},
				"no nonce":       {b, []string{"nonce", ""}, map[bool]string{true: "invalid_request"}[strings.Contains(kind, "id_token")]},
				"no openid":      {b, []string{"scope", "email", "prompt", "none"}, map[bool]string{true: "invalid_scope"}[strings.Contains(kind, "id_token")]},
				"no PKCE": {b, []string{"code_challenge", "", "code_challenge_method", "", "nonce", "", "scope", "email", "prompt", "none"},
					map[bool]string{true: "invalid_request", false: "invalid_scope"}[kind == "code token"]},
			} {
				s := v.Get(t, c.bed.AuthorizeURL(append([]string{"response_type", kind, "nonce", "n"}, c.pairs...)...))
				if c.code == "" {
					s.Response(t)
					continue
				}
				if s.LeftTo == nil || s.LeftTo.Fragment == "" || s.LeftTo.RawQuery != "from=signet" {
					t.Errorf("%s, %s: status %d, left to %v", kind, name, s.StatusCode, s.LeftTo)
					continue
				}
				s.WantError(t, c.code)
			}
		}
	})
}

// A response with a token opens a grant: the token ends with the session, and a client that loses the
// response type gets no more tokens, also in a sign-in that has begun.
func TestResponseType_TokensEndWithSessionAndRegistration(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		allowResponseTypes(t, b)
		v := b.Visitor(t)
		v.SignInForCode(t)
		request := b.AuthorizeURL("response_type", "id_token token", "nonce", "n")
		got := v.Get(t, request).Response(t)
		if a := b.Userinfo(t, got.Get("access_token")); a.StatusCode != http.StatusOK {
			t.Fatalf("userinfo: %d", a.StatusCode)
		}
		b.EndSession(t, providertest.ClaimsOf(t, got.Get("id_token"))["sid"])
		if a := b.Userinfo(t, got.Get("access_token")); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("userinfo after the session has ended: %d, want 401", a.StatusCode)
		}
		page := b.Visitor(t).Get(t, request)
		b.ChangeClient(t, func(c *storage.Client) { c.Metadata.ResponseTypes = []string{"code", "id_token"} })
		s := v.SignIn(t, page, providertest.Alice, providertest.Password)
		s.WantError(t, "unauthorized_client")
		if s.LeftTo.Fragment == "" {
			t.Errorf("left to %v", s.LeftTo)
		}
	})
}

// With form_post, the tokens are in no URL.
func TestResponseType_TokensByFormPost(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		allowResponseTypes(t, b)
		v := b.Visitor(t)
		v.SignInForCode(t)
		s := v.Get(t, b.AuthorizeURL(formPost("response_type", "code id_token", "nonce", "n")...))
		checkFormPost(t, "code id_token", s)
		b.Redeem(t, s.Code(t))
		if claims := providertest.ClaimsOf(t, s.Posted.Get("id_token")); claims["c_hash"] != leftHalf(s.Posted.Get("code")) {
			t.Errorf("c_hash %v", claims["c_hash"])
		}
	})
}

// P-38: a second use of a hybrid code ends all tokens of that authorization: those of the code and
// those that came with it, also after the code has expired. The next authorization keeps its tokens.
func TestResponseType_ReplayedCodeEndsTheTokensBesideIt(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		allowResponseTypes(t, b)
		v := b.Visitor(t)
		v.SignInForCode(t)
		for name, wait := range map[string]time.Duration{"at once": 0, "after the expiry of the code": 2 * time.Minute} {
			got := v.Get(t, b.AuthorizeURL("response_type", "code id_token token", "nonce", "n")).Response(t)
			other := v.Get(t, b.AuthorizeURL("response_type", "code token", "nonce", "n")).Response(t)
			tokens := b.Redeem(t, got.Get("code"))
			b.WantUserinfo(t, got.Get("access_token"), http.StatusOK)
			b.Advance(wait)
			providertest.WantOAuthError(t, b.TokenRequest(t, b.CodeForm(got.Get("code"))), http.StatusBadRequest, "invalid_grant")
			for token, status := range map[string]int{
				got.Get("access_token"): http.StatusUnauthorized, tokens["access_token"].(string): http.StatusUnauthorized, other.Get("access_token"): http.StatusOK,
			} {
				if a := b.Userinfo(t, token); a.StatusCode != status {
					t.Errorf("%s: userinfo %d, want %d", name, a.StatusCode, status)
				}
			}
		}
	})
}
