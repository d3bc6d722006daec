package federationtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Google is a pretend Google with Google's paths, members and quirks. Its issuer is its URL.
type Google struct {
	*upstream
	key key
}

// StartGoogle starts a pretend Google.
func StartGoogle(setup Setup) (*Google, error) {
	g := &Google{key: newKey("RS256")}
	var err error
	g.upstream, err = start("Google", "407408718192.apps.googleusercontent.com", GoogleAccounts(), setup, func(u *upstream) {
		g.upstream = u
		u.mux.HandleFunc("GET /.well-known/openid-configuration", g.discovery)
		u.mux.HandleFunc("GET /oauth2/v3/certs", g.certs)
		u.mux.HandleFunc("/o/oauth2/v2/auth", g.auth)
		u.mux.HandleFunc("POST /token", g.token)
		u.mux.HandleFunc("GET /v1/userinfo", g.userinfo)
	})
	return g, err
}

func (g *Google) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": g.URL, "authorization_endpoint": g.URL + "/o/oauth2/v2/auth", "token_endpoint": g.URL + "/token",
		"userinfo_endpoint": g.URL + "/v1/userinfo", "jwks_uri": g.URL + "/oauth2/v3/certs",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid", "email", "profile"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
		"code_challenge_methods_supported":      []string{"plain", "S256"},
		"claims_supported": []string{
			"aud", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss", "name", "picture", "sub",
		},
	})
}

func (g *Google) certs(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"keys": []any{decoyKey, g.key.jwk()}})
}

// decoyKey is a key of an uncommon type, as some key sets contain them.
var decoyKey = map[string]any{"kty": "OKP", "crv": "X448", "use": "enc", "kid": "decoy", "x": "AA"}

// auth refuses prompt=login, as Google does, and adds Google's parameters to the callback.
func (g *Google) auth(w http.ResponseWriter, r *http.Request) {
	prompt := r.URL.Query().Get("prompt")
	if !slices.Contains([]string{"", "none", "consent", "select_account"}, prompt) {
		g.refuse(w, "invalid_request: Invalid parameter value for prompt: Invalid prompt: "+prompt)
		return
	}
	g.authorize(func(asked url.Values, a Account) url.Values {
		more := url.Values{"scope": {asked.Get("scope")}, "authuser": {"0"}, "prompt": {"none"}}
		if a.Hosted != "" {
			more.Set("hd", a.Hosted)
		}
		return more
	})(w, r)
}

func (g *Google) token(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil || !g.isAuthenticated(r) {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "Unauthorized"})
		return
	}
	was, access, refused := g.redeem(r.PostForm)
	if refused != "" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": refused, "error_description": "Malformed auth code."})
		return
	}
	payload, err := json.Marshal(g.claims(was))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"access_token": access, "expires_in": 3599, "scope": was.scope, "token_type": "Bearer",
		"id_token": g.key.sign(g.key.header(), payload, nil),
	})
}

// claims returns the claims of an ID token. Only members of an organization have hd.
// auth_time is present only if the parameter claims requests it.
func (g *Google) claims(was issued) map[string]any {
	now := g.setup.Now().Unix()
	claims := map[string]any{
		"iss": g.URL, "azp": g.ClientID, "aud": g.ClientID, "sub": was.account.Subject,
		"email": was.account.Email, "email_verified": was.account.Verified,
		"nonce": was.asked.Get("nonce"), "iat": now, "exp": now + 3600,
		"name": was.account.Name, "given_name": was.account.Given, "family_name": was.account.Family,
		"picture": "https://lh3.googleusercontent.com/a/pretend=s96-c",
	}
	if was.account.Hosted != "" {
		claims["hd"] = was.account.Hosted
	}
	if strings.Contains(was.asked.Get("claims"), "auth_time") {
		claims["auth_time"] = was.signedInAt.Unix()
	}
	return claims
}

func (g *Google) userinfo(w http.ResponseWriter, r *http.Request) {
	was, known := g.byAccessToken(r)
	if !known {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_request", "error_description": "Invalid Credentials"})
		return
	}
	a := was.account
	writeJSON(w, http.StatusOK, map[string]any{
		"sub": a.Subject, "name": a.Name, "given_name": a.Given, "family_name": a.Family, "email": a.Email, "email_verified": a.Verified,
	})
}
