package oauth_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/provider/providertest"
	"signet/storage"
)

// P-49: Userinfo accepts GET, POST with a header, and POST with a form (OIDC Core, section
// 5.3).
func TestUserinfo_WaysToSendTheToken(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		token := b.Redeem(t, b.Visitor(t).SignInForCode(t))["access_token"].(string)
		form := url.Values{"access_token": {token}}.Encode()
		for name, a := range map[string]providertest.Answer{
			"GET":              b.RequestUserinfo(t, http.MethodGet, "", "", "Authorization", "Bearer "+token),
			"POST":             b.RequestUserinfo(t, http.MethodPost, "", "", "Authorization", "Bearer "+token),
			"lower case":       b.RequestUserinfo(t, http.MethodGet, "", "", "Authorization", "bearer "+token),
			"upper case":       b.RequestUserinfo(t, http.MethodGet, "", "", "Authorization", "BEARER "+token),
			"form body":        b.RequestUserinfo(t, http.MethodPost, "", form, "Content-Type", providertest.FormType),
			"header and empty": b.RequestUserinfo(t, http.MethodPost, "", "access_token=", "Content-Type", providertest.FormType, "Authorization", "Bearer "+token),
		} {
			if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/json" || a.JSON(t)["sub"] != b.Alice.ID {
				t.Errorf("%s: got %d %s", name, a.StatusCode, a.Body)
			}
		}
		for name, a := range map[string]providertest.Answer{
			"no token":   b.RequestUserinfo(t, http.MethodGet, "", ""),
			"empty form": b.RequestUserinfo(t, http.MethodPost, "", "", "Content-Type", providertest.FormType),
		} {
			// RFC 6750, section 3.1: no error code if the request has no token.
			if a.StatusCode != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: got %d, WWW-Authenticate %q", name, a.StatusCode, a.Header.Get("WWW-Authenticate"))
			}
			if a.Body != `{"error":"invalid_token"}` {
				t.Errorf("%s: the body is %s", name, a.Body)
			}
		}
	})
}

// IR-11: A token in the query, or in two places, is refused (RFC 6750, section 2).
// IR-14: Odd forms of the Authorization header are refused in the same way everywhere.
func TestUserinfo_TokenInTheWrongPlaceIsRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		token := b.Redeem(t, b.Visitor(t).SignInForCode(t))["access_token"].(string)
		header, form := "Bearer "+token, url.Values{"access_token": {token}}.Encode()
		malformed := map[string]providertest.Answer{
			"query":                  b.RequestUserinfo(t, http.MethodGet, "?"+form, ""),
			"query and header":       b.RequestUserinfo(t, http.MethodGet, "?"+form, "", "Authorization", header),
			"query of a POST":        b.RequestUserinfo(t, http.MethodPost, "?"+form, "", "Content-Type", providertest.FormType),
			"header and body":        b.RequestUserinfo(t, http.MethodPost, "", form, "Content-Type", providertest.FormType, "Authorization", header),
			"two headers":            b.RequestUserinfo(t, http.MethodGet, "", "", "Authorization", header, "Authorization", header),
			"two kinds of header":    b.RequestUserinfo(t, http.MethodGet, "", "", "Authorization", "Basic Zm9v", "Authorization", header),
			"body twice":             b.RequestUserinfo(t, http.MethodPost, "", form+"&"+form, "Content-Type", providertest.FormType),
			"JSON body":              b.RequestUserinfo(t, http.MethodPost, "", `{"access_token":"`+token+`"}`, "Content-Type", "application/json"),
			"two spaces":             b.RequestUserinfo(t, http.MethodGet, "", "", "Authorization", "Bearer  "+token),
			"Bearer twice":           b.RequestUserinfo(t, http.MethodGet, "", "", "Authorization", "Bearer Bearer "+token),
			"nothing after":          b.RequestUserinfo(t, http.MethodGet, "", "", "Authorization", "Bearer "),
			"space within":           b.RequestUserinfo(t, http.MethodGet, "", "", "Authorization", "Bearer "+token+" "+token),
			"tab behind":             b.RequestUserinfo(t, http.MethodGet, "", "", "Authorization", "Bearer "+token+"\tx"),
			"giant body":             b.RequestUserinfo(t, http.MethodPost, "", form+"&x="+strings.Repeat("x", 1<<17), "Content-Type", providertest.FormType),
			"two Content-Types":      b.RequestUserinfo(t, http.MethodPost, "", form, "Content-Type", providertest.FormType, "Content-Type", "text/plain"),
			"body and Basic":         b.RequestUserinfo(t, http.MethodPost, "", form, "Content-Type", providertest.FormType, "Authorization", "Basic Zm9v"),
			"NUL in the body":        b.RequestUserinfo(t, http.MethodPost, "", form+"%00", "Content-Type", providertest.FormType),
			"body of a GET's method": b.RequestUserinfo(t, http.MethodPost, "", form+"&_method=GET", "Content-Type", providertest.FormType, "Authorization", header),
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
			a := b.RequestUserinfo(t, http.MethodGet, "", "", "Authorization", authorization)
			if a.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s: got %d %s", name, a.StatusCode, a.Body)
			}
		}
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, "BREW"} {
			if a := b.RequestUserinfo(t, method, "", "", "Authorization", header); a.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s: got %d", method, a.StatusCode)
			}
		}
	})
}

// IR-12: Cookies are not credentials at userinfo.
func TestUserinfo_CookiesAreNotCredentials(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		token := b.Redeem(t, v.SignInForCode(t))["access_token"].(string)
		a := v.Fetch(t, b.Issuer+"/userinfo")
		if a.StatusCode != http.StatusUnauthorized || strings.Contains(a.Body, b.Alice.ID) {
			t.Errorf("with the session's cookie: got %d %s", a.StatusCode, a.Body)
		}
		for _, cookie := range []string{"access_token=" + token, "__Host-access_token=" + token} {
			if a := b.RequestUserinfo(t, http.MethodGet, "", "", "Cookie", cookie); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("with a token in a cookie: got %d %s", a.StatusCode, a.Body)
			}
		}
		a = b.RequestUserinfo(t, http.MethodGet, "", "", "Authorization", "Bearer "+token, "Origin", "https://evil.example")
		if a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("another origin may read the answer: %v", a.Header)
		}
	})
}

// IR-13: Client credentials tokens, ID tokens and refresh tokens are refused at userinfo.
func TestUserinfo_OtherTokensAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		service := b.AsClient(b.RegisterWith(t, storage.Service, "service", func(c *storage.Client) { c.Metadata.Scope = "mail.read" }))
		own := service.TokenRequest(t, url.Values{"grant_type": {"client_credentials"}}).JSON(t)["access_token"].(string)
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t))
		at := b.Now()
		good := keys.AccessToken{
			Subject: b.Alice.ID, Audience: []string{b.Issuer}, ClientID: b.Client.ID, Scope: "openid", ID: "jti",
			GrantID:  fmt.Sprint(providertest.ClaimsOf(t, tokens["access_token"])["gid"]),
			IssuedAt: at.Unix(), Expires: at.Add(time.Minute).Unix(),
		}
		signed := func(change func(*keys.AccessToken)) string {
			token := good
			change(&token)
			signed, err := b.OpenKeys(t).SignAccess("ES256", token)
			if err != nil {
				t.Fatal(err)
			}
			return signed
		}
		b.WantUserinfo(t, signed(func(*keys.AccessToken) {}), http.StatusOK)
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
			a := b.Userinfo(t, token)
			if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="invalid_token"`) || strings.Contains(a.Body, "example.com") {
				t.Errorf("%s: got %d %s", name, a.StatusCode, a.Body)
			}
		}
		b.WantUserinfo(t, signed(func(k *keys.AccessToken) { k.Scope = "email" }), http.StatusForbidden)
		b.WantUserinfo(t, signed(func(k *keys.AccessToken) { k.Scope = "xopenid openid.x" }), http.StatusForbidden)
	})
}

// IR-15: The token of a deleted user is refused.
func TestUserinfo_TokenOfEndedUserOrSessionIsRefused(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t))
		token := tokens["access_token"].(string)
		b.SetAliceEnabled(t, false)
		b.WantUserinfo(t, token, http.StatusUnauthorized)
		b.SetAliceEnabled(t, true)
		b.WantUserinfo(t, token, http.StatusUnauthorized) // enabling the user does not revive the token

		v = b.Visitor(t)
		v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		tokens = b.Redeem(t, v.CodeFromSession(t))
		token = tokens["access_token"].(string)
		b.WantUserinfo(t, token, http.StatusOK)
		v.Get(t, b.Issuer+"/end_session?id_token_hint="+tokens["id_token"].(string))
		b.WantUserinfo(t, token, http.StatusUnauthorized)

		v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		token = b.Redeem(t, v.CodeFromSession(t))["access_token"].(string)
		b.Advance(15 * time.Minute)
		b.WantUserinfo(t, token, http.StatusUnauthorized)
	})
}

// IR-16: A cut or extended token is refused.
// JW-16: Base64 that is not canonical is refused (RFC 7515, section 2).
func TestUserinfo_DamagedTokensAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		token := b.Redeem(t, b.Visitor(t).SignInForCode(t))["access_token"].(string)
		b.WantUserinfo(t, token, http.StatusOK) // now its signature is cached
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
			a := b.Userinfo(t, token)
			if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.Header.Get("WWW-Authenticate"), "invalid_token") {
				t.Errorf("%.80s…: got %d %s", token, a.StatusCode, a.Body)
			}
			form := url.Values{"access_token": {token}}.Encode()
			if a := b.RequestUserinfo(t, http.MethodPost, "", form, "Content-Type", providertest.FormType); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("in the body, %.80s…: got %d %s", token, a.StatusCode, a.Body)
			}
		}
	})
}

// spare returns a letter that differs from last in the lowest bit. At the end of a signature of
// 64 bytes, it decodes to the same bytes.
func spare(last byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, last)^1])
}

// P-53: a signed answer is a JWT with kid, iss and aud, the same claims as the JSON, and no nonce. It
// has no exp and no iat, so it is not accepted as an ID token.
func TestUserinfo_SignedAnswer(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		tokens := b.Redeem(t, b.Visitor(t).SignInForCode(t, "nonce", "n", "claims", `{"userinfo":{"given_name":null}}`))
		access := tokens["access_token"].(string)
		plain := b.Userinfo(t, access).JSON(t)
		b.ChangeClient(t, func(c *storage.Client) { c.Metadata.UserinfoSignedAlg = "RS256" })
		a := b.Userinfo(t, access)
		if got := a.Header.Get("Content-Type"); a.StatusCode != http.StatusOK || got != "application/jwt" || a.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("status %d, %s: %s", a.StatusCode, got, a.Body)
		}
		if header := providertest.HeaderOf(t, a.Body); header["alg"] != "RS256" || header["kid"] == nil {
			t.Errorf("the header is %v", header)
		}
		plain["iss"], plain["aud"] = b.Issuer, b.Client.ID
		if signed := providertest.ClaimsOf(t, a.Body); !reflect.DeepEqual(signed, plain) {
			t.Errorf("signed %v\nwant   %v", signed, plain)
		}
		b.Visitor(t).Get(t, b.AuthorizeURL("id_token_hint", a.Body)).WantError(t, "invalid_request")
		if a := b.Userinfo(t, access+"x"); a.StatusCode != http.StatusUnauthorized || a.Header.Get("Content-Type") == "application/jwt" {
			t.Errorf("a wrong token: status %d, %s", a.StatusCode, a.Header.Get("Content-Type"))
		}
	})
}
