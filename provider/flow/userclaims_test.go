package flow_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
)

// P-50: Userinfo returns all claims of the granted scopes (OIDC Core, section 5.4).
// P-51: Claims have the types of OIDC Core, section 5.1; absent claims are left out.
func TestClaims_EveryClaimOfTheScopes(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		full, err := b.DB.CreateUser(context.Background(), storage.User{
			Email: "full@example.com", EmailVerified: true, Name: "Zoë O'Neil", GivenName: "Zoë", FamilyName: "O'Neil", MiddleName: "M", Nickname: "zo",
			PreferredUsername: "zoe", Profile: "https://example.com/zoe", Picture: "https://example.com/zoe.png", Website: "https://zoe.example.com",
			Gender: "female", Birthdate: "1990-02-28", Zoneinfo: "Europe/Dublin", Locale: "en-IE", PhoneNumber: "+353 1 5550123", PhoneNumberVerified: true,
			Address: storage.Address{StreetAddress: "1 Main St", Locality: "Dublin", Country: "IE"}, Roles: []string{"admin"}, Groups: []string{"staff", "board"},
			Custom: map[string]any{"salary": 1},
		}, passwordHash(t, b), storage.By{At: b.Now()})
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
		v := b.Visitor(t)
		v.Allow(t, v.SignIn(t, v.Get(t, b.AuthorizeURL("scope", "openid profile email phone address roles groups")), full.Email, providertest.Password))
		for _, scopes := range []string{"openid", "openid profile", "openid email", "openid phone", "openid address", "openid roles", "openid groups", "openid profile email phone address roles groups"} {
			var names []string
			for scope := range strings.FieldsSeq(scopes) {
				names = append(names, want[scope]...)
			}
			slices.Sort(names)
			tokens := b.Redeem(t, v.CodeFromSession(t, "scope", scopes))
			claims := b.Userinfo(t, tokens["access_token"].(string)).JSON(t)
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

// passwordHash is the hash of the tests' password.
func passwordHash(t *testing.T, b *providertest.Testbed) string {
	t.Helper()
	_, hash, err := b.DB.UserByEmail(context.Background(), providertest.Alice)
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

// P-45, P-46: with response_type=code the claims of scopes are only at userinfo, and the ID
// token has only the claims that the specification defines.
func wantPlainIDToken(t *testing.T, token any) {
	t.Helper()
	for name := range providertest.ClaimsOf(t, token) {
		if !slices.Contains(strings.Fields("iss sub aud exp iat nbf jti auth_time nonce acr amr azp at_hash c_hash s_hash sid txn"), name) {
			t.Errorf("the ID token carries %s", name)
		}
	}
}

// P-51: Claims have the types of OIDC Core, section 5.1; absent claims are left out.
func TestClaims_AbsentClaimsAreLeftOut(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		token := b.Redeem(t, v.SignInForCode(t, "scope", "openid profile email phone address roles groups"))["access_token"].(string)
		claims := b.Userinfo(t, token).JSON(t)
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

// P-52: A single claim can be requested without its scope.
// P-45: In the code flow, profile claims are at userinfo and not in the ID token.
func TestClaims_AskedForOneByOne(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		asked := `{"userinfo":{"name":{"essential":true},"zoneinfo":null,"salary":null,"email":null},"id_token":{"given_name":null,"auth_time":{"essential":true},"exp":{"value":1},"sid":null,"roles":null}}`
		tokens := b.Redeem(t, v.SignInForCode(t, "scope", "openid", "claims", asked))
		claims := b.Userinfo(t, tokens["access_token"].(string)).JSON(t)
		want := map[string]any{"sub": b.Alice.ID, "name": "Alice Liddell", "zoneinfo": "Europe/London", "email": providertest.Alice}
		if fmt.Sprint(claims) != fmt.Sprint(want) {
			t.Errorf("userinfo: got %v, want %v", claims, want)
		}
		id := providertest.ClaimsOf(t, tokens["id_token"])
		if id["given_name"] != "Alice" || fmt.Sprint(id["roles"]) != "[reader]" || id["name"] != nil || fmt.Sprint(id["exp"]) == "1" {
			t.Errorf("ID token: %v", id)
		}
	})
}

// With the setting of the client, each ID token has the claims of its scopes, also after a refresh, and
// only those of the scopes that remain.
// P-45: In the code flow, profile claims are at userinfo and not in the ID token.
func TestClaims_InIDTokensByTheSettingOfTheClient(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.Client.Metadata.ClaimsInIDToken = true
		b.ChangeClient(t, func(*storage.Client) {})
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t, "scope", "openid email profile roles offline_access"))
		narrowed := b.MustRefresh(t, tokens["refresh_token"], "scope", "openid roles")
		wide := b.MustRefresh(t, narrowed["refresh_token"])
		for name, c := range map[string]struct {
			token   any
			profile bool
		}{"code": {tokens["id_token"], true}, "narrowed refresh": {narrowed["id_token"], false}, "refresh": {wide["id_token"], true}} {
			id := providertest.ClaimsOf(t, c.token)
			if fmt.Sprint(id["roles"]) != "[reader]" || (id["email"] == providertest.Alice) != c.profile || (id["name"] == "Alice Liddell") != c.profile {
				t.Errorf("%s: ID token %v", name, id)
			}
		}
		b.ChangeClient(t, func(c *storage.Client) { c.Metadata.ClaimsInIDToken = false })
		if id := providertest.ClaimsOf(t, b.MustRefresh(t, wide["refresh_token"])["id_token"]); id["email"] != nil || id["roles"] != nil {
			t.Errorf("after the setting is off: ID token %v", id)
		}
	})
}
