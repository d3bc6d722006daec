package federation_test

import (
	"errors"
	"strings"
	"testing"

	"signet/federation"
	"signet/federation/federationtest"
)

// algorithms lists the algorithms that both federation and the pretend upstream support.
var algorithms = strings.Fields("ES256 ES384 ES512 RS256 RS384 RS512 PS256 PS384 PS512 EdDSA HS256 HS384 HS512")

const longSecret = "a secret of more than thirty-two bytes"

// startSigning starts an upstream that signs ID tokens by one algorithm and advertises only that.
func startSigning(t *testing.T, algorithm string, more federationtest.Faults) (*federationtest.Lying, *trial) {
	t.Helper()
	l, up := lying(t, func(c *federation.Config) {
		if strings.HasPrefix(algorithm, "HS") {
			c.ClientSecret, c.Algorithms = federation.NewSecret(longSecret), []string{algorithm}
		}
	})
	more.SignBy, more.Secret = algorithm, []byte(longSecret)
	if strings.HasPrefix(algorithm, "HS") {
		more.Header = claims{"alg": algorithm, "kid": nil}
	}
	if more.Discovery == nil {
		more.Discovery = claims{}
	}
	more.Discovery["id_token_signing_alg_values_supported"] = []string{algorithm}
	l.SetFaults(more)
	return l, up
}

// TestIDToken_AtHashOfEveryAlgorithm: a valid at_hash is accepted, a wrong one is refused, and
// at_hash may be missing, because the code flow does not require it (OIDC Core, section 3.1.3.6).
func TestIDToken_AtHashOfEveryAlgorithm(t *testing.T) {
	for _, algorithm := range algorithms {
		_, up := startSigning(t, algorithm, federationtest.Faults{AtHash: true})
		if i := up.mustSignIn(t, "victim"); i.Subject != "victim-1" {
			t.Errorf("%s: %+v", algorithm, i)
		}
		_, up = startSigning(t, algorithm, federationtest.Faults{})
		up.mustSignIn(t, "victim")
		for _, wrong := range []any{"AAAAAAAAAAAAAAAAAAAAAA", "x", 1, []string{"a"}, strings.Repeat("A", 43)} {
			_, up = startSigning(t, algorithm, federationtest.Faults{Claims: claims{"at_hash": wrong}})
			if _, err := up.signIn(t, "victim"); !errors.Is(err, federation.ErrUntrusted) || !strings.Contains(err.Error(), "at_hash") {
				t.Errorf("%s, at_hash %v: %v", algorithm, wrong, err)
			}
		}
	}
}

// TestIDToken_HMACNeedsNoKeys: with HMAC by the client secret, jwks_uri is not used.
func TestIDToken_HMACNeedsNoKeys(t *testing.T) {
	for _, uri := range []any{nil, 1, "https://elsewhere.example/jwks"} {
		_, up := startSigning(t, "HS256", federationtest.Faults{Discovery: claims{"jwks_uri": uri}})
		up.mustSignIn(t, "victim")
		if r := up.Probe(t.Context(), redirectURI); r.Err != nil {
			t.Errorf("jwks_uri %v: %v", uri, r.Err)
		}
	}
}

// TestUserinfo_AlgorithmsHaveTheirOwnList: userinfo has its own list in the metadata, and the setting
// algorithms is about ID tokens. But only HMAC algorithms in the setting may use the client secret.
func TestUserinfo_AlgorithmsHaveTheirOwnList(t *testing.T) {
	for _, algorithm := range algorithms {
		hmac := strings.HasPrefix(algorithm, "HS")
		for name, c := range map[string]struct {
			listed any
			named  []string // the setting
			want   error
		}{
			"no list":             {nil, nil, untrustedIf(hmac)},
			"its list":            {[]string{algorithm, "none"}, nil, untrustedIf(hmac)},
			"another list":        {[]string{"none", "x"}, nil, federation.ErrUntrusted},
			"ID tokens by ES256":  {[]string{algorithm}, []string{"ES256"}, untrustedIf(hmac)},
			"named for ID tokens": {[]string{algorithm}, []string{"ES256", algorithm}, nil},
			"a list that is none": {5, nil, federation.ErrUntrusted},
		} {
			l, up := lying(t, func(config *federation.Config) {
				config.Algorithms, config.ClientSecret = c.named, federation.NewSecret(longSecret)
			})
			f := federationtest.Faults{
				LeanIDToken: true, SignedUserInfo: true, SignUserInfoBy: algorithm, Secret: []byte(longSecret),
				Discovery: claims{"userinfo_signing_alg_values_supported": c.listed},
			}
			if hmac {
				f.UserInfoHeader = claims{"alg": algorithm}
			}
			l.SetFaults(f)
			i, err := up.signIn(t, "victim")
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || err == nil && i.Email != "victim@corp.example" {
				t.Errorf("%s, %s: %v, want %v", algorithm, name, err, c.want)
			}
		}
	}
}

func untrustedIf(refused bool) error {
	if refused {
		return federation.ErrUntrusted
	}
	return nil
}

// TestUserinfo_TokenIsVerifiedWhateverItsContentType: a token is verified even with the content type
// of JSON. An answer with the content type of a token must be a token.
func TestUserinfo_TokenIsVerifiedWhateverItsContentType(t *testing.T) {
	for kind, signed := range map[string]bool{
		"application/jwt": true, "Application/JWT": true, "application/jwt; charset=utf-8": true, "application/jwt;charset": true,
		" application/jwt ;a=b;a=b": true, "application/json": false, "text/plain": false, "application/octet-stream": false, "": false,
	} {
		for _, token := range []bool{true, false} {
			for _, right := range []bool{true, false} {
				l, up := lying(t, nil)
				f := federationtest.Faults{LeanIDToken: true, SignedUserInfo: token}
				if !right {
					f.UserInfo = claims{"sub": "mallory"}
				}
				l.SetFaults(f)
				l.EditAnswer("/userinfo", func(a *federationtest.Answer) {
					a.Header["Content-Type"] = []string{kind}
					a.Body = []byte("\r\n" + string(a.Body) + "\n")
				})
				_, err := up.signIn(t, "victim")
				if want := right && (token || !signed); (err == nil) != want {
					t.Errorf("%q, a token: %v, right: %v: %v", kind, token, right, err)
				}
			}
		}
	}
}

// TestUserinfo_ForgedTokenIsRefused with any content type.
func TestUserinfo_ForgedTokenIsRefused(t *testing.T) {
	for name, f := range map[string]federationtest.Faults{
		"alg none":             {UserInfoHeader: claims{"alg": "none"}},
		"HS256, by public key": {UserInfoHeader: claims{"alg": "HS256"}},
		"unknown kid":          {UserInfoHeader: claims{"kid": "other"}},
		"expired":              {UserInfo: claims{"exp": 5}},
		"not yet":              {UserInfo: claims{"nbf": newClock().at.Unix() + 120}},
	} {
		for _, kind := range []string{"application/jwt", "application/json"} {
			f.LeanIDToken, f.SignedUserInfo = true, true
			l, up := lying(t, nil)
			l.SetFaults(f)
			l.EditAnswer("/userinfo", func(a *federationtest.Answer) { a.Header.Set("Content-Type", kind) })
			if _, err := up.signIn(t, "victim"); !errors.Is(err, federation.ErrUntrusted) {
				t.Errorf("%s as %s: %v", name, kind, err)
			}
		}
	}
}

// TestUserinfo_IsFetchedOnlyForMissingClaims: a failure of userinfo does not end a sign-in that lacks
// only claims of the profile, such as name or picture.
func TestUserinfo_IsFetchedOnlyForMissingClaims(t *testing.T) {
	for name, c := range map[string]struct {
		without   []string // of the ID token's claims
		supported any      // claims_supported
		asked     int
		needed    bool // the sign-in fails without userinfo
	}{
		"all is there":               {nil, nil, 0, false},
		"no address":                 {[]string{"email"}, nil, 1, true},
		"no name":                    {[]string{"name"}, nil, 1, false},
		"no name, and it has none":   {[]string{"name"}, []string{"sub", "email"}, 1, false},
		"no picture":                 {[]string{"picture"}, nil, 1, false},
		"no picture, it has them":    {[]string{"picture"}, []string{"picture"}, 1, false},
		"no picture, it has none":    {[]string{"picture"}, []string{"sub", "name"}, 0, false},
		"no username":                {[]string{"preferred_username"}, nil, 1, false},
		"no username, it has none":   {[]string{"preferred_username"}, []string{"sub", "name"}, 0, false},
		"no given and no last name":  {[]string{"given_name", "family_name"}, nil, 0, false},
		"nothing":                    {[]string{"name", "email", "picture", "preferred_username", "given_name"}, nil, 1, true},
		"a list of claims that lies": {[]string{"picture"}, 5, 1, false},
	} {
		lack := claims{}
		for _, claim := range c.without {
			lack[claim] = nil
		}
		l, up := lying(t, nil)
		l.SetFaults(federationtest.Faults{Claims: lack, Discovery: claims{"claims_supported": c.supported}})
		i := up.mustSignIn(t, "victim")
		if n := l.CountRequests("GET /userinfo"); n != c.asked {
			t.Errorf("%s: userinfo is called %d times, want %d", name, n, c.asked)
		}
		if c.asked > 0 && (i.Name != "Vic Tim" || i.Email != "victim@corp.example" || i.Picture == "" || i.Username != "vic" || i.ProfileError != nil) {
			t.Errorf("%s: got %+v", name, i)
		}
		if c.asked == 0 {
			continue
		}
		for failure, f := range map[string]func(*federationtest.Answer){
			"down":        func(a *federationtest.Answer) { a.Status = 503 },
			"a refusal":   func(a *federationtest.Answer) { a.Status = 403 },
			"HTML":        func(a *federationtest.Answer) { a.Body = []byte("<html>") },
			"no sub":      func(a *federationtest.Answer) { a.Body = []byte(`{"name":"x"}`) },
			"sub of type": func(a *federationtest.Answer) { a.Body = []byte(`{"sub":1,"name":"x"}`) },
		} {
			l.EditAnswer("/userinfo", f)
			i, err := up.signIn(t, "victim")
			if (err != nil) != c.needed || err == nil && (i.ProfileError == nil || i.Subject != "victim-1" || i.Email != "victim@corp.example") {
				t.Errorf("%s, userinfo is %s: %+v, %v", name, failure, i, err)
			}
		}
		l.EditAnswer("/userinfo", func(a *federationtest.Answer) { a.Body = []byte(`{"sub":"mallory","name":"x"}`) })
		up.mustRefuse(t, "victim", federation.ErrUntrusted) // userinfo of another person, even if only a name is missing
	}
}

// TestMicrosoft_UserinfoIsNotUsed: its userinfo endpoint is in another domain, which must not matter.
func TestMicrosoft_UserinfoIsNotUsed(t *testing.T) {
	l, up := microsoft(t, tenantA)
	f := fromTenant(l, tenantA, tenantA, nil)
	f.Discovery["userinfo_endpoint"] = "https://graph.microsoft.com/oidc/userinfo"
	l.SetFaults(f)
	up.mustSignIn(t, "victim")
	if r := up.Probe(t.Context(), redirectURI); r.Err != nil {
		t.Errorf("probe: %v", r.Err)
	}
}
