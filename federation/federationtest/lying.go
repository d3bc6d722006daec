package federationtest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
)

// Lying is an OpenID provider that keeps to the specifications until it is told
// to lie. Its one account is Victim; its keys sign ES256.
type Lying struct {
	*upstream
	key    key
	others map[string]key // by algorithm, made when they are first needed
	faults Faults

	lastForm   url.Values
	lastHeader http.Header
}

// Victim is who signs in at a Lying upstream.
var Victim = Account{
	Key: "victim", Subject: "victim-1", Email: "victim@corp.example", Verified: true, Name: "Vic Tim", Given: "Vic", Family: "Tim", Username: "vic",
}

// Faults are what a Lying upstream does wrong. A nil value in a map takes the
// member away.
type Faults struct {
	Discovery map[string]any
	Callback  map[string]string // "" takes the parameter away
	Token     map[string]any    // the token endpoint's answer
	Status    int               // of the token endpoint's answer; 0: 200
	Header    map[string]any    // the ID token's; alg none and HS256 are signed as they say
	Claims    map[string]any    // the ID token's
	Payload   func(honest []byte) []byte
	// HeaderText changes the text of the ID token's header, after Header did.
	HeaderText func(honest []byte) []byte
	UserInfo   map[string]any
	// UserInfoHeader changes the header of signed userinfo, after Header did.
	UserInfoHeader map[string]any
	// UserInfoPayload changes the text of userinfo's claims, signed or not.
	UserInfoPayload func(honest []byte) []byte
	// SignedUserInfo: userinfo answers by a token, whose claims UserInfo changes, too.
	SignedUserInfo bool
	// LeanIDToken: address and profile are only at userinfo.
	LeanIDToken bool
	// Keys changes the published ones.
	Keys func(honest map[string]any) []any
	// SignBy is the algorithm of ID tokens and signed userinfo, SignUserInfoBy that of the
	// latter alone; "" for ES256. The keys of both are published.
	SignBy, SignUserInfoBy string
	// AtHash puts the right at_hash into ID tokens (OIDC Core, section 3.1.3.6).
	AtHash bool
	// RequireClientAuth refuses token requests that do not authenticate the client.
	RequireClientAuth bool
	// SignByUnpublishedKey signs by a key that is not published, under the id of the one that is.
	SignByUnpublishedKey bool
	// Secret signs HS256; nil: the text of the public key, as in the attack.
	Secret []byte
	// Wire are faults of the line, by endpoint: discovery, jwks, authorize, token, userinfo.
	Wire map[string]WireFault
}

// StartLying starts one that is honest yet.
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

// SetFaults makes it lie so from now on; Faults{} makes it honest again.
func (l *Lying) SetFaults(f Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = f
}

// RotateKey gives it another key, and publishes only that.
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

// signer is the key for an algorithm; the caller holds the lock. By HS256 and none, the
// header decides, and the key is that of ES256.
func (l *Lying) signer(alg string) key {
	if !slices.Contains(signingAlgorithms, alg) || alg == l.key.alg {
		return l.key
	}
	if _, made := l.others[alg]; !made {
		l.others[alg] = newKey(alg)
	}
	return l.others[alg]
}

// userinfoKey signs userinfo.
func (l *Lying) userinfoKey() key {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.signer(cmp.Or(l.faults.SignUserInfoBy, l.faults.SignBy))
}

// PublicKey is the published key in PEM form.
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

// reply adds iss (RFC 9207) and whatever the faults say.
func (l *Lying) reply(url.Values, Account) url.Values {
	f, _ := l.current()
	more := url.Values{"iss": {l.URL}}
	for name, value := range f.Callback {
		more.Set(name, value)
	}
	return more
}

// token does not judge the client: who signs how is for the tests to look at.
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

// LastTokenRequest is the form and the header of the last token request.
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

// editText is a text as a fault has it.
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

// withFaults is the honest object with the faults' members instead of its own.
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
		panic(err) // a fault that is no JSON is a mistake of the test
	}
	return text
}
