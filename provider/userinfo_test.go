package provider_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/storage"
)

// ask sends a request to /userinfo as it is.
func (b *testbed) ask(t *testing.T, method, query, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequest(method, b.Issuer+"/userinfo"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	return do(t, direct, r)
}

func TestP49_HowATokenMayBeSent(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		token := b.redeem(t, b.visitor(t).flow(t))["access_token"].(string)
		form := url.Values{"access_token": {token}}.Encode()
		for name, a := range map[string]answer{
			"GET":              b.ask(t, http.MethodGet, "", "", "Authorization", "Bearer "+token),
			"POST":             b.ask(t, http.MethodPost, "", "", "Authorization", "Bearer "+token),
			"lower case":       b.ask(t, http.MethodGet, "", "", "Authorization", "bearer "+token),
			"upper case":       b.ask(t, http.MethodGet, "", "", "Authorization", "BEARER "+token),
			"form body":        b.ask(t, http.MethodPost, "", form, "Content-Type", formType),
			"header and empty": b.ask(t, http.MethodPost, "", "access_token=", "Content-Type", formType, "Authorization", "Bearer "+token),
		} {
			if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/json" || a.json(t)["sub"] != b.Alice.ID {
				t.Errorf("%s: got %d %s", name, a.StatusCode, a.Body)
			}
		}
		for name, a := range map[string]answer{
			"no token":   b.ask(t, http.MethodGet, "", ""),
			"empty form": b.ask(t, http.MethodPost, "", "", "Content-Type", formType),
		} {
			// RFC 6750, section 3.1: no error code where nothing was presented.
			if a.StatusCode != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: got %d, WWW-Authenticate %q", name, a.StatusCode, a.Header.Get("WWW-Authenticate"))
			}
		}
	})
}

func TestIR11_TestIR14_TokenInTheWrongPlace(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		token := b.redeem(t, b.visitor(t).flow(t))["access_token"].(string)
		header, form := "Bearer "+token, url.Values{"access_token": {token}}.Encode()
		malformed := map[string]answer{
			"query":                  b.ask(t, http.MethodGet, "?"+form, ""),
			"query and header":       b.ask(t, http.MethodGet, "?"+form, "", "Authorization", header),
			"query of a POST":        b.ask(t, http.MethodPost, "?"+form, "", "Content-Type", formType),
			"header and body":        b.ask(t, http.MethodPost, "", form, "Content-Type", formType, "Authorization", header),
			"two headers":            b.ask(t, http.MethodGet, "", "", "Authorization", header, "Authorization", header),
			"two kinds of header":    b.ask(t, http.MethodGet, "", "", "Authorization", "Basic Zm9v", "Authorization", header),
			"body twice":             b.ask(t, http.MethodPost, "", form+"&"+form, "Content-Type", formType),
			"JSON body":              b.ask(t, http.MethodPost, "", `{"access_token":"`+token+`"}`, "Content-Type", "application/json"),
			"two spaces":             b.ask(t, http.MethodGet, "", "", "Authorization", "Bearer  "+token),
			"Bearer twice":           b.ask(t, http.MethodGet, "", "", "Authorization", "Bearer Bearer "+token),
			"nothing after":          b.ask(t, http.MethodGet, "", "", "Authorization", "Bearer "),
			"space within":           b.ask(t, http.MethodGet, "", "", "Authorization", "Bearer "+token+" "+token),
			"tab behind":             b.ask(t, http.MethodGet, "", "", "Authorization", "Bearer "+token+"\tx"),
			"giant body":             b.ask(t, http.MethodPost, "", form+"&x="+strings.Repeat("x", 1<<17), "Content-Type", formType),
			"two Content-Types":      b.ask(t, http.MethodPost, "", form, "Content-Type", formType, "Content-Type", "text/plain"),
			"body and Basic":         b.ask(t, http.MethodPost, "", form, "Content-Type", formType, "Authorization", "Basic Zm9v"),
			"NUL in the body":        b.ask(t, http.MethodPost, "", form+"%00", "Content-Type", formType),
			"body of a GET's method": b.ask(t, http.MethodPost, "", form+"&_method=GET", "Content-Type", formType, "Authorization", header),
		}
		for name, a := range malformed {
			if !slices.Contains([]int{400, 401}, a.StatusCode) || a.Header.Get("WWW-Authenticate") == "" || strings.Contains(a.Body, b.Alice.ID) {
				t.Errorf("%s: got %d %v %s", name, a.StatusCode, a.Header, a.Body)
			}
			if a.StatusCode != http.StatusBadRequest && name != "nothing after" {
				t.Errorf("%s: got %d, want 400: %s", name, a.StatusCode, a.Body)
			}
		}
		for name, authorization := range map[string]string{
			"Basic of the token":   "Basic " + base64.StdEncoding.EncodeToString([]byte(token+":x")),
			"Basic, token as pass": "Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+token)),
			"tab":                  "Bearer\t" + token,
			"no scheme":            token,
			"colon":                "Bearer: " + token,
			"Token":                "Token " + token,
			"DPoP":                 "DPoP " + token,
			"list":                 "Bearer " + token + ",",
			"quoted":               `Bearer "` + token + `"`,
			"parameter":            "Bearer access_token=" + token,
		} {
			a := b.ask(t, http.MethodGet, "", "", "Authorization", authorization)
			if a.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s: got %d %s", name, a.StatusCode, a.Body)
			}
		}
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, "BREW"} {
			if a := b.ask(t, method, "", "", "Authorization", header); a.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s: got %d", method, a.StatusCode)
			}
		}
	})
}

func TestIR12_CookiesAreNoCredentials(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		token := b.redeem(t, v.flow(t))["access_token"].(string)
		a := v.fetch(t, b.Issuer+"/userinfo")
		if a.StatusCode != http.StatusUnauthorized || strings.Contains(a.Body, b.Alice.ID) {
			t.Errorf("with the session's cookie: got %d %s", a.StatusCode, a.Body)
		}
		for _, cookie := range []string{"access_token=" + token, "__Host-access_token=" + token} {
			if a := b.ask(t, http.MethodGet, "", "", "Cookie", cookie); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("with a token in a cookie: got %d %s", a.StatusCode, a.Body)
			}
		}
		a = b.ask(t, http.MethodGet, "", "", "Authorization", "Bearer "+token, "Origin", "https://evil.example")
		if a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("another origin may read it: %v", a.Header)
		}
	})
}

func TestIR13_OtherTokens(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		service := b.as(b.registerWith(t, storage.Service, "service", func(c *storage.Client) { c.Metadata.Scope = "mail.read" }))
		own := service.tokenRequest(t, url.Values{"grant_type": {"client_credentials"}}).json(t)["access_token"].(string)
		tokens := b.redeem(t, b.visitor(t).flow(t))
		at := b.now()
		good := keys.AccessToken{
			Subject: b.Alice.ID, Audience: []string{b.Issuer}, ClientID: b.Client.ID, Scope: "openid", ID: "jti",
			GrantID:  fmt.Sprint(claimsOf(t, tokens["access_token"])["gid"]),
			IssuedAt: at.Unix(), Expires: at.Add(time.Minute).Unix(),
		}
		signed := func(change func(*keys.AccessToken)) string {
			token := good
			change(&token)
			signed, err := b.insider(t).SignAccess("ES256", token)
			if err != nil {
				t.Fatal(err)
			}
			return signed
		}
		b.wantUserinfo(t, signed(func(*keys.AccessToken) {}), http.StatusOK)
		for name, token := range map[string]string{
			"client_credentials": own, "ID token": tokens["id_token"].(string), "refresh token": tokens["refresh_token"].(string),
			"no grant":              signed(func(k *keys.AccessToken) { k.GrantID = "" }),
			"unknown grant":         signed(func(k *keys.AccessToken) { k.GrantID = "unknown" }),
			"another user":          signed(func(k *keys.AccessToken) { k.Subject = "usr_another" }),
			"client as subject":     signed(func(k *keys.AccessToken) { k.Subject = b.Client.ID }),
			"another client":        signed(func(k *keys.AccessToken) { k.ClientID = "service" }),
			"unknown client":        signed(func(k *keys.AccessToken) { k.ClientID = "unknown" }),
			"audience of an API":    signed(func(k *keys.AccessToken) { k.Audience = []string{"https://api.example.com"} }),
			"issuer with a slash":   signed(func(k *keys.AccessToken) { k.Audience = []string{b.Issuer + "/"} }),
			"issuer in upper case":  signed(func(k *keys.AccessToken) { k.Audience = []string{strings.ToUpper(b.Issuer)} }),
			"client as audience":    signed(func(k *keys.AccessToken) { k.Audience = []string{b.Client.ID} }),
			"just expired":          signed(func(k *keys.AccessToken) { k.IssuedAt, k.Expires = at.Unix()-60, at.Unix() }),
			"from the future":       signed(func(k *keys.AccessToken) { k.IssuedAt, k.Expires = at.Unix()+90, at.Unix()+180 }),
			"subject of 5000 bytes": signed(func(k *keys.AccessToken) { k.Subject = strings.Repeat("x", 5000) }),
			"jti of 5000 bytes":     signed(func(k *keys.AccessToken) { k.ID = strings.Repeat("x", 5000) }),
			"gid with NUL":          signed(func(k *keys.AccessToken) { k.GrantID = "a\x00b" }),
		} {
			a := b.userinfo(t, token)
			if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="invalid_token"`) || strings.Contains(a.Body, "example.com") {
				t.Errorf("%s: got %d %s", name, a.StatusCode, a.Body)
			}
		}
		b.wantUserinfo(t, signed(func(k *keys.AccessToken) { k.Scope = "email" }), http.StatusForbidden)
		b.wantUserinfo(t, signed(func(k *keys.AccessToken) { k.Scope = "xopenid openid.x" }), http.StatusForbidden)
	})
}

func TestIR15_TokenOfWhatEnded(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		tokens := b.redeem(t, v.flow(t))
		token := tokens["access_token"].(string)
		b.disableUser(t, true)
		b.wantUserinfo(t, token, http.StatusUnauthorized)
		b.disableUser(t, false)
		b.wantUserinfo(t, token, http.StatusUnauthorized) // it does not come back to life

		v = b.visitor(t)
		v.signIn(t, v.get(t, b.authorizeURL()), alice, password)
		tokens = b.redeem(t, v.again(t))
		token = tokens["access_token"].(string)
		b.wantUserinfo(t, token, http.StatusOK)
		v.get(t, b.Issuer+"/end_session?id_token_hint="+tokens["id_token"].(string))
		b.wantUserinfo(t, token, http.StatusUnauthorized)

		v.signIn(t, v.get(t, b.authorizeURL()), alice, password)
		token = b.redeem(t, v.again(t))["access_token"].(string)
		b.pass(15 * time.Minute)
		b.wantUserinfo(t, token, http.StatusUnauthorized)
	})
}

func TestIR16_TestJW16_DamagedTokens(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		token := b.redeem(t, b.visitor(t).flow(t))["access_token"].(string)
		b.wantUserinfo(t, token, http.StatusOK) // from here on its signature is in the cache
		parts := strings.Split(token, ".")
		damaged := []string{
			token[:len(token)-1], token[1:], token + "A", token + ".", token + "=", token + "==", "." + token, parts[0] + "." + parts[1],
			parts[0] + "." + parts[1] + ".", parts[0] + ".." + parts[2], "." + parts[1] + "." + parts[2], token + "." + parts[2],
			parts[0] + "=." + parts[1] + "." + parts[2], parts[0] + "." + parts[1] + "=." + parts[2],
			strings.ReplaceAll(strings.ReplaceAll(token, "-", "+"), "_", "/") + "+", strings.ToUpper(token), token + "%20", "%" + token,
			parts[1] + "." + parts[0] + "." + parts[2], parts[0] + "." + parts[2] + "." + parts[1], token + ";", token + "~", token + "#x",
			parts[0][:len(parts[0])-1] + "." + parts[1] + "." + parts[2], token[:len(token)-1] + spare(token[len(token)-1]),
		}
		for i := 0; i < len(token); i += 37 {
			damaged = append(damaged, token[:i]+string(map[bool]byte{true: 'B', false: 'A'}[token[i] == 'A'])+token[i+1:])
		}
		for _, token := range damaged {
			a := b.userinfo(t, token)
			if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.Header.Get("WWW-Authenticate"), "invalid_token") {
				t.Errorf("%.80s…: got %d %s", token, a.StatusCode, a.Body)
			}
			form := url.Values{"access_token": {token}}.Encode()
			if a := b.ask(t, http.MethodPost, "", form, "Content-Type", formType); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("in the body, %.80s…: got %d %s", token, a.StatusCode, a.Body)
			}
		}
	})
}

// spare gives a letter that differs from this one in the lowest bit: in the last
// place of 64 bytes of signature it decodes to the same bytes.
func spare(last byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, last)^1])
}

func TestP50_TestP51_EveryClaimOfTheScopes(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		full, err := b.DB.CreateUser(context.Background(), storage.User{
			Email: "full@example.com", EmailVerified: true, Name: "Zoë O'Neil", GivenName: "Zoë", FamilyName: "O'Neil", MiddleName: "M", Nickname: "zo",
			PreferredUsername: "zoe", Profile: "https://example.com/zoe", Picture: "https://example.com/zoe.png", Website: "https://zoe.example.com",
			Gender: "female", Birthdate: "1990-02-28", Zoneinfo: "Europe/Dublin", Locale: "en-IE", PhoneNumber: "+353 1 5550123", PhoneNumberVerified: true,
			Address: storage.Address{StreetAddress: "1 Main St", Locality: "Dublin", Country: "IE"}, Roles: []string{"admin"}, Groups: []string{"staff", "board"},
			Custom: map[string]any{"salary": 1},
		}, b.passwordHash(t), storage.By{At: b.now()})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{
			"openid": {"sub"},
			"profile": {"birthdate", "family_name", "gender", "given_name", "locale", "middle_name", "name", "nickname", "picture",
				"preferred_username", "profile", "updated_at", "website", "zoneinfo"},
			"email": {"email", "email_verified"}, "phone": {"phone_number", "phone_number_verified"}, "address": {"address"},
			"roles": {"roles"}, "groups": {"groups"},
		}
		v := b.visitor(t)
		v.allow(t, v.signIn(t, v.get(t, b.authorizeURL("scope", "openid profile email phone address roles groups")), full.Email, password))
		for _, scopes := range []string{"openid", "openid profile", "openid email", "openid phone", "openid address", "openid roles", "openid groups", "openid profile email phone address roles groups"} {
			var names []string
			for scope := range strings.FieldsSeq(scopes) {
				names = append(names, want[scope]...)
			}
			slices.Sort(names)
			tokens := b.redeem(t, v.again(t, "scope", scopes))
			claims := b.userinfo(t, tokens["access_token"].(string)).json(t)
			var got []string
			for name, value := range claims {
				got = append(got, name)
				checkClaim(t, name, value)
			}
			slices.Sort(got)
			if !slices.Equal(got, names) || claims["sub"] != full.ID {
				t.Errorf("scope %q: got %v, want %v", scopes, got, names)
			}
			wantPlainIDToken(t, tokens["id_token"])
		}
	})
}

// passwordHash is that of the tests' password.
func (b *testbed) passwordHash(t *testing.T) string {
	t.Helper()
	_, hash, err := b.DB.UserByEmail(context.Background(), alice)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

var birthdate = regexp.MustCompile(`^(18[5-9]\d|19\d\d|20\d\d)(-\d\d-\d\d)?$`)

func checkClaim(t *testing.T, name string, value any) {
	t.Helper()
	ok := true
	switch v := value.(type) {
	case string:
		ok = v != "" && v != "null" && name != "updated_at" && !strings.HasSuffix(name, "_verified")
		ok = ok && (name != "birthdate" || birthdate.MatchString(v))
	case bool:
		ok = strings.HasSuffix(name, "_verified")
	case map[string]any:
		ok = name == "address" && len(v) > 0
		for _, line := range v {
			text, isText := line.(string)
			ok = ok && isText && text != ""
		}
	case []any:
		ok = name == "roles" || name == "groups"
	default: // a number
		seconds := fmt.Sprint(v)
		ok = name == "updated_at" && len(seconds) == 10
	}
	if !ok {
		t.Errorf("claim %s: %#v", name, value)
	}
}

// With response_type=code the claims of the scopes stay at userinfo (PROTOCOL 45),
// and nothing else is in the ID token than what is defined (46).
func wantPlainIDToken(t *testing.T, token any) {
	t.Helper()
	for name := range claimsOf(t, token) {
		if !slices.Contains(strings.Fields("iss sub aud exp iat nbf jti auth_time nonce acr amr azp at_hash c_hash s_hash sid txn"), name) {
			t.Errorf("the ID token carries %s", name)
		}
	}
}

func TestP51_AbsentClaimsAreLeftOut(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		token := b.redeem(t, v.flow(t, "scope", "openid profile email phone address roles groups"))["access_token"].(string)
		claims := b.userinfo(t, token).json(t)
		for name, value := range claims {
			checkClaim(t, name, value)
		}
		for _, absent := range []string{"middle_name", "phone_number", "phone_number_verified", "address", "groups", "picture"} {
			if _, there := claims[absent]; there {
				t.Errorf("%s is there: %v", absent, claims[absent])
			}
		}
	})
}

func TestP52_TestP45_ClaimsAskedForOneByOne(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		asked := `{"userinfo":{"name":{"essential":true},"zoneinfo":null,"salary":null,"email":null},"id_token":{"given_name":null,"auth_time":{"essential":true},"exp":{"value":1},"sid":null,"roles":null}}`
		tokens := b.redeem(t, v.flow(t, "scope", "openid", "claims", asked))
		claims := b.userinfo(t, tokens["access_token"].(string)).json(t)
		want := map[string]any{"sub": b.Alice.ID, "name": "Alice Liddell", "zoneinfo": "Europe/London", "email": alice}
		if fmt.Sprint(claims) != fmt.Sprint(want) {
			t.Errorf("userinfo: got %v, want %v", claims, want)
		}
		id := claimsOf(t, tokens["id_token"])
		if id["given_name"] != "Alice" || fmt.Sprint(id["roles"]) != "[reader]" || id["name"] != nil || fmt.Sprint(id["exp"]) == "1" {
			t.Errorf("ID token: %v", id)
		}
	})
}
