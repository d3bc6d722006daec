package federationtest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
)

// Lying is an OpenID provider that follows the specifications until SetFaults makes it send
// invalid answers. Its only account is Victim. It signs by ES256 by default.
type Lying struct {
	*upstream
	key    key
	others map[string]key // by algorithm, made at first use
	faults Faults

	lastForm   url.Values
	lastHeader http.Header
}

// Victim is the account of a Lying upstream.
var Victim = Account{
	Key: "victim", Subject: "victim-1", Email: "victim@corp.example", Verified: true, Name: "Vic Tim", Given: "Vic", Family: "Tim", Username: "vic",
}

// Faults changes the valid answers of a Lying upstream. The maps replace members by name; a
// nil value removes the member.
type Faults struct {
	Discovery map[string]any
	Callback  map[string]string // "" removes the parameter
	Token     map[string]any    // answer of the token endpoint
	Status    int               // of the token endpoint; 0: 200
	Header    map[string]any    // of the ID token; alg also decides how it is signed (none, HS256)
	Claims    map[string]any    // of the ID token
	// Payload changes the text of the ID token's claims, after Claims.
	Payload func(honest []byte) []byte
	// HeaderText changes the text of the ID token's header, after Header.
	HeaderText func(honest []byte) []byte
	UserInfo   map[string]any
	// UserInfoHeader changes the header of signed userinfo, after Header.
	UserInfoHeader map[string]any
	// UserInfoPayload changes the text of userinfo's claims, after UserInfo.
	UserInfoPayload func(honest []byte) []byte
	// SignedUserInfo: userinfo answers with a signed token. UserInfo changes its claims, too.
	SignedUserInfo bool
	// LeanIDToken: only userinfo contains address and profile.
	LeanIDToken bool
	// Keys returns the keys to publish, from the valid one.
	Keys func(honest map[string]any) []any
	// SignBy is the algorithm of ID tokens and signed userinfo, "" for ES256.
	// SignUserInfoBy replaces it for userinfo. The keys of both are published.
	SignBy, SignUserInfoBy string
	// AtHash adds a valid at_hash to ID tokens (OIDC Core, section 3.1.3.6).
	AtHash bool
	// RequireClientAuth refuses token requests that do not authenticate the client.
	RequireClientAuth bool
	// SignByUnpublishedKey signs with a key that is not published, but uses the key id of the
	// published key.
	SignByUnpublishedKey bool
	// Secret is the key for HS256. Nil: the text of the public key, as in the known attack.
	Secret []byte
	// Wire lists faults of the connection by endpoint: discovery, jwks, authorize, token,
	// userinfo.
	Wire map[string]WireFault
}

// StartLying starts a Lying upstream without faults.
func StartLying(setup Setup) (*Lying, error) {
	gzipBomb()
	l := &Lying{key: newKey("ES256"), others: map[string]key{}}
	var err error
	l.upstream, err = start("Elsewhere", "signet-at-elsewhere", []Account{Victim}, setup, func(u *upstream) {
		l.upstream = u
		u.mux.HandleFunc("GET /.well-known/openid-configuration", l.withWireFault("discovery", l.discovery))
		u.mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", l.withWireFault("discovery", l.discovery))
		u.mux.HandleFunc("GET /jwks", l.withWireFault("jwks", l.jwks))
		u.mux.HandleFunc("/authorize", l.withWireFault("authorize", u.authorize(l.reply)))
		u.mux.HandleFunc("POST /token", l.withWireFault("token", l.token))
		u.mux.HandleFunc("GET /userinfo", l.withWireFault("userinfo", l.userinfo))
	})
	return l, err
}

// SetFaults sets the faults of all later answers; Faults{} removes all faults.
func (l *Lying) SetFaults(f Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = f
}

// RotateKey replaces the signing key, and publishes only the new key.
func (l *Lying) RotateKey() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.key = newKey("ES256")
}

func (l *Lying) current() (Faults, key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faults, l.signer(l.faults.SignBy)
}

// signer returns the key for an algorithm. The caller holds the lock. For HS256 and none it
// returns the key of ES256; the token's header decides how the token is signed.
func (l *Lying) signer(alg string) key {
	if !slices.Contains(signingAlgorithms, alg) || alg == l.key.alg {
		return l.key
	}
	if _, made := l.others[alg]; !made {
		l.others[alg] = newKey(alg)
	}
	return l.others[alg]
}

// userinfoKey returns the key for signed userinfo.
func (l *Lying) userinfoKey() key {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.signer(cmp.Or(l.faults.SignUserInfoBy, l.faults.SignBy))
}

// PublicKey returns the published key in PEM form.
func (l *Lying) PublicKey() []byte {
	_, key := l.current()
	return key.publicPEM()
}

func (l *Lying) discovery(w http.ResponseWriter, _ *http.Request) {
	f, _ := l.current()
	writeJSON(w, http.StatusOK, withFaults(map[string]any{
		"issuer": l.URL, "authorization_endpoint": l.URL + "/authorize", "token_endpoint": l.URL + "/token",
		"userinfo_endpoint": l.URL + "/userinfo", "jwks_uri": l.URL + "/jwks",
		"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "private_key_jwt"},
		"scopes_supported":                      []string{"openid", "profile", "email"},
		"code_challenge_methods_supported":      []string{"S256"}, "prompt_values_supported": []string{"none", "login"},
		"authorization_response_iss_parameter_supported": true,
	}, f.Discovery))
}

func (l *Lying) jwks(w http.ResponseWriter, _ *http.Request) {
	f, key := l.current()
	published := []any{key.jwk()}
	if other := l.userinfoKey(); other.id != key.id {
		published = append(published, other.jwk())
	}
	if f.Keys != nil {
		published = f.Keys(key.jwk())
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": published})
}

// reply returns iss (RFC 9207) and the callback parameters of the faults.
func (l *Lying) reply(url.Values, Account) url.Values {
	f, _ := l.current()
	more := url.Values{"iss": {l.URL}}
	for name, value := range f.Callback {
		more.Set(name, value)
	}
	return more
}

// token answers token requests. It checks the client's credentials only with
// RequireClientAuth; tests can read them with LastTokenRequest.
func (l *Lying) token(w http.ResponseWriter, r *http.Request) {
	f, key := l.current()
	if r.ParseForm() != nil {
		http.Error(w, "form", http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	l.lastForm, l.lastHeader = r.PostForm, r.Header.Clone()
	l.mu.Unlock()
	if f.RequireClientAuth && !l.isAuthenticated(r) {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	was, access, refused := l.redeem(r.PostForm)
	if refused != "" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": refused})
		return
	}
	answer := withFaults(map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": l.idToken(f, key, was, access),
	}, f.Token)
	writeJSON(w, max(f.Status, http.StatusOK), answer)
}

// LastTokenRequest returns the form and the header of the last token request.
func (l *Lying) LastTokenRequest() (url.Values, http.Header) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastForm, l.lastHeader
}

func (l *Lying) idToken(f Faults, k key, was issued, access string) string {
	now := l.setup.Now().Unix()
	claims := map[string]any{
		"iss": l.URL, "aud": l.ClientID, "sub": was.account.Subject, "nonce": was.asked.Get("nonce"), "iat": now, "exp": now + 300,
		"auth_time": was.signedInAt.Unix(), "acr": "urn:elsewhere:pwd", "amr": []string{"pwd"},
	}
	if f.AtHash {
		claims["at_hash"] = halfHash(headerOf(k, f)["alg"], access)
	}
	if !f.LeanIDToken {
		for name, value := range l.profile(was.account) {
			claims[name] = value
		}
	}
	payload := editText(encodeJSON(withFaults(claims, f.Claims)), f.Payload)
	header := headerOf(k, f)
	if f.SignByUnpublishedKey {
		k = newKey("ES256")
	}
	secret := f.Secret
	if secret == nil {
		secret = k.publicPEM()
	}
	return k.signText(header["alg"], encode(editText(encodeJSON(header), f.HeaderText))+"."+encode(payload), secret)
}

// editText returns f(text), or the text if f is nil.
func editText(text []byte, f func([]byte) []byte) []byte {
	if f == nil {
		return text
	}
	return f(text)
}

func headerOf(k key, f Faults) map[string]any { return withFaults(k.header(), f.Header) }

func (l *Lying) profile(a Account) map[string]any {
	return map[string]any{
		"sub": a.Subject, "email": a.Email, "email_verified": a.Verified, "name": a.Name,
		"given_name": a.Given, "family_name": a.Family, "preferred_username": a.Username, "picture": "https://elsewhere.example/vic.png",
	}
}

func (l *Lying) userinfo(w http.ResponseWriter, r *http.Request) {
	f, _ := l.current()
	key := l.userinfoKey()
	was, known := l.byAccessToken(r)
	if !known {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		http.Error(w, "", http.StatusUnauthorized)
		return
	}
	claims := l.profile(was.account)
	if !f.SignedUserInfo {
		w.Header().Set("Content-Type", "application/json")
		w.Write(editText(encodeJSON(withFaults(claims, f.UserInfo)), f.UserInfoPayload))
		return
	}
	claims["iss"], claims["aud"] = l.URL, l.ClientID
	w.Header().Set("Content-Type", "application/jwt")
	secret := f.Secret
	if secret == nil {
		secret = key.publicPEM()
	}
	w.Write([]byte(key.sign(withFaults(headerOf(key, f), f.UserInfoHeader), editText(encodeJSON(withFaults(claims, f.UserInfo)), f.UserInfoPayload), secret)))
}

// withFaults replaces members of honest by those of faults, and returns honest.
func withFaults(honest, faults map[string]any) map[string]any {
	for name, value := range faults {
		if value == nil {
			delete(honest, name)
		} else {
			honest[name] = value
		}
	}
	return honest
}

func encodeJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a mistake of the test: its fault is not valid JSON
	}
	return text
}
