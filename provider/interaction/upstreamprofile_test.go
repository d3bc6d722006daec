package interaction_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"signet/federation/federationtest"
	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

// mapping sets the claims setting of the liar's connector.
func mapping(pairs map[string]string) func(*providertest.Upstreams, *provider.Config) {
	return providertest.ChangeConnector("liar", func(c *provider.Connector) { c.Claims = pairs })
}

func names(n, length int) []any {
	var list []any
	for i := range n {
		list = append(list, fmt.Sprintf("%0*d", length, i))
	}
	return list
}

// sources names an endpoint from which a distributed claim can be read (OIDC Core, section
// 5.6.2).
var sources = map[string]any{"src1": map[string]any{"endpoint": "https://graph.example/v1.0/users/1/getMemberObjects"}}

// A list of groups is accepted as a whole or refused as a whole; a refused list does not
// prevent the sign-in, but it removes the groups of the last one.
func TestGroups_ListIsAcceptedOrRefusedAsAWhole(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for name, c := range map[string]struct {
			claims  map[string]any
			want    []string
			refused string
		}{
			"a list":                      {map[string]any{"roles": []any{"staff", "dev"}}, []string{"staff", "dev"}, ""},
			"one text":                    {map[string]any{"roles": "staff"}, []string{"staff"}, ""},
			"a text with commas":          {map[string]any{"roles": "cn=staff,ou=groups"}, []string{"cn=staff,ou=groups"}, ""},
			"absent":                      {map[string]any{"roles": nil}, nil, ""},
			"an empty list":               {map[string]any{"roles": []any{}}, nil, ""},
			"an empty text":               {map[string]any{"roles": ""}, nil, ""},
			"repeated, and in upper case": {map[string]any{"roles": []any{"a", "A", "a"}}, []string{"a", "A"}, ""},
			"an empty name among others":  {map[string]any{"roles": []any{"", "a", "  "}}, []string{"a"}, ""},
			"only another claim":          {map[string]any{"groups": []any{"staff"}}, nil, ""},
			"objects":                     {map[string]any{"roles": []any{map[string]any{"name": "staff"}}}, nil, "groups_unreadable"},
			"an object":                   {map[string]any{"roles": map[string]any{"staff": true}}, nil, "groups_unreadable"},
			"a number among texts":        {map[string]any{"roles": []any{"a", 7}}, nil, "groups_unreadable"},
			"null among texts":            {map[string]any{"roles": []any{"a", nil}}, nil, "groups_unreadable"},
			"true":                        {map[string]any{"roles": true}, nil, "groups_unreadable"},
			"a control character":         {map[string]any{"roles": []any{"a\nb"}}, nil, "groups_unreadable"},
			"a right-to-left override":    {map[string]any{"roles": []any{"a\u202eb"}}, nil, "groups_unreadable"},
			"a name of 201 characters":    {map[string]any{"roles": []any{strings.Repeat("a", 201)}}, nil, "groups_unreadable"},
			"the longest list":            {map[string]any{"roles": names(120, 10)}, textsOf(names(120, 10)), ""},
			"a list that is too long":     {map[string]any{"roles": names(300, 10)}, nil, "groups_too_large"},
			"a distributed claim":         {map[string]any{"roles": nil, "_claim_names": map[string]any{"roles": "src1"}, "_claim_sources": sources}, nil, "groups_elsewhere"},
			"another distributed claim":   {map[string]any{"roles": nil, "_claim_names": map[string]any{"other": "src1"}, "_claim_sources": sources}, nil, ""},
			"the name of administrators":  {map[string]any{"roles": []any{"admin", "administrator", "signet:admin"}}, []string{"admin", "administrator", "signet:admin"}, ""},
			"other claims about roles":    {map[string]any{"admin": true, "role": "admin", "roles": []any{"x"}}, []string{"x"}, ""},
		} {
			for _, claims := range []map[string]any{{"roles": []any{"before"}}, c.claims} {
				up.Liar.SetFaults(federationtest.Faults{Claims: claims})
				if page := b.Visitor(t).AuthorizeThrough(t, "liar", "victim"); page.StatusCode >= 400 {
					t.Errorf("%s: status %d", name, page.StatusCode)
				}
			}
			u := b.UserByEmail(t, providertest.VictimMail)
			if !slices.Equal(u.UpstreamGroups, c.want) || u.Groups != nil || u.Admin || len(u.Roles) > 0 {
				t.Errorf("%s: got %q (own %q, roles %q, admin %v), want %q", name, u.UpstreamGroups, u.Groups, u.Roles, u.Admin, c.want)
			}
			list, err := b.DB.IdentitiesOf(t.Context(), u.ID)
			if err != nil || len(list) != 1 || list[0].Detail.GroupsRefused != c.refused {
				t.Errorf("%s: identities %+v, error %v, want the reason %q", name, list, err, c.refused)
			}
		}
	}, mapping(map[string]string{"groups": "roles"}))
}

// Groups need a mapping in the settings. A reload without the mapping removes earlier groups,
// and so does the removal of the connector.
func TestGroups_NeedMappingInSettings(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*provider.Connector) (keep bool)
		want   string
	}{
		"taken out of the settings": {func(c *provider.Connector) bool { c.Claims = nil; return true }, "[]"},
		"another claim":             {func(c *provider.Connector) bool { c.Claims = map[string]string{"groups": "other"}; return true }, "[staff]"},
		"another upstream":          {func(c *provider.Connector) bool { c.Issuer = "https://elsewhere.example"; return true }, "[]"},
		"the connector is removed":  {func(*provider.Connector) bool { return false }, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				up.Liar.SetFaults(federationtest.Faults{Claims: map[string]any{"groups": []any{"staff"}}})
				b.Follow(t)
				b.Visitor(t).AuthorizeThrough(t, "liar", "victim")
				if u := b.UserByEmail(t, providertest.VictimMail); fmt.Sprint(u.UpstreamGroups) != "[staff]" {
					t.Fatalf("with the mapping: groups %q, want [staff]", u.UpstreamGroups)
				}
				var list []provider.Connector
				for _, one := range up.Connectors {
					if one.ID == "liar" {
						one.Claims = map[string]string{"groups": "groups"}
					}
					if one.ID != "liar" || c.change(&one) {
						list = append(list, one)
					}
				}
				next, err := b.With(provider.Live{Connectors: list})
				if err != nil {
					t.Fatal(err)
				}
				reloaded := *b
				reloaded.Provider = next
				reloaded.Follow(t)
				if u := b.UserByEmail(t, providertest.VictimMail); fmt.Sprint(u.UpstreamGroups) != c.want {
					t.Errorf("after the reload: groups %q, want %s", u.UpstreamGroups, c.want)
				}
			}, mapping(map[string]string{"groups": "groups"}))
		})
	}
}

// Connecting an identity on the account page brings its groups, and disconnecting it removes
// them. The page shows them.
func TestGroups_FollowConnectedIdentity(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		up.Liar.SetFaults(federationtest.Faults{Claims: map[string]any{"groups": []any{"staff", "dev"}}})
		v := b.Visitor(t)
		v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password)
		v.Connect(t, "liar", "victim")
		if u := b.AliceNow(t); fmt.Sprint(u.UpstreamGroups) != "[staff dev]" {
			t.Errorf("connected: groups %q, want [staff dev]", u.UpstreamGroups)
		}
		page := v.Get(t, b.Issuer+"/account/identities")
		page.WantText(t, "<dt>Groups</dt>", "staff, dev")
		v.Submit(t, page.UnlinkForms(t)[0])
		if u := b.AliceNow(t); len(u.UpstreamGroups) > 0 {
			t.Errorf("disconnected: groups %q, want none", u.UpstreamGroups)
		}
	}, mapping(map[string]string{"groups": "groups"}))
}

// A user name comes from the upstream only with a mapping in the settings, and only when the
// account is made. A user name that is taken or invalid does not prevent the sign-in.
// FD-29: A user name from an upstream grants nothing, also if a user here has the same.
func TestUsername_NeedsMappingInSettings(t *testing.T) {
	address := providertest.VictimMail
	for name, c := range map[string]struct {
		mapped  map[string]string
		says    string
		want    string
		unique  bool
		foreign string // the user name of another user
	}{
		"not mapped":              {nil, "vic", "", false, ""},
		"mapped to itself":        {map[string]string{"preferred_username": "preferred_username"}, "vic", "vic", true, ""},
		"taken":                   {map[string]string{"preferred_username": "preferred_username"}, "V1C", "V1C", false, "vic"},
		"with a space":            {map[string]string{"preferred_username": "preferred_username"}, "vic tim", "", false, ""},
		"another address":         {map[string]string{"preferred_username": "preferred_username"}, "boss@corp.example", "", false, ""},
		"the address vouched for": {map[string]string{"preferred_username": "preferred_username"}, address, address, true, ""},
		"only punctuation":        {map[string]string{"preferred_username": "preferred_username"}, "...", "", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				if c.foreign != "" {
					b.CreateUser(t, storage.User{Email: "first@example.com", PreferredUsername: c.foreign}, providertest.Password)
				}
				up.Liar.SetFaults(providertest.ChangeClaim("preferred_username", c.says))
				b.Visitor(t).AuthorizeThrough(t, "liar", "victim")
				want := func(when string) {
					t.Helper()
					if u := b.UserByEmail(t, address); u.PreferredUsername != c.want || u.UsernameUnique() != c.unique {
						t.Errorf("%s: %q, unique %v; want %q, %v", when, u.PreferredUsername, u.UsernameUnique(), c.want, c.unique)
					}
				}
				want("at the first sign-in")
				up.Liar.SetFaults(providertest.ChangeClaim("preferred_username", "another"))
				b.Visitor(t).AuthorizeThrough(t, "liar", "victim")
				want("at the second sign-in")
			}, mapping(c.mapped))
		})
	}
}

// upstreamClaims are the claims of OpenID Connect Core, section 5.1, as an upstream sends
// them and as our userinfo endpoint returns them.
var upstreamClaims = map[string]struct{ says, gives any }{
	"name": {"Vic Tim", "Vic Tim"}, "given_name": {"Vic", "Vic"}, "middle_name": {"A.", "A."}, "family_name": {"Tim", "Tim"},
	"nickname": {"vicky", "vicky"}, "profile": {"https://up.example/vic", "https://up.example/vic"},
	"picture": {"https://up.example/vic.png", "https://up.example/vic.png"}, "website": {"http://vic.example", "http://vic.example"},
	"gender": {"female", "female"}, "birthdate": {"1990-02-28", "1990-02-28"}, "zoneinfo": {"Europe/Oslo", "Europe/Oslo"},
	"locale": {"nb_NO", "nb-NO"}, "phone_number": {"+47 22 33 44 55", "+4722334455"}, "phone_number_verified": {true, false},
	"address": {map[string]any{"street_address": "Gate 1\r\nOslo", "country": "NO", "planet": "Earth"}, map[string]any{"street_address": "Gate 1\nOslo", "country": "NO"}},
}

// Every profile claim of an upstream is returned by userinfo. A claim that breaks a rule is
// left out, but does not prevent the sign-in.
func TestProfile_ClaimsOfUpstreamReachUserinfo(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		says := map[string]any{}
		for name, claim := range upstreamClaims {
			says[name] = claim.says
		}
		up.Liar.SetFaults(federationtest.Faults{Claims: says})
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.Allow(t, v.AuthorizeThrough(t, "liar", "victim", "scope", "openid profile phone address")).Code(t))
		got := b.Userinfo(t, tokens["access_token"].(string)).JSON(t)
		for name, claim := range upstreamClaims {
			if fmt.Sprint(got[name]) != fmt.Sprint(claim.gives) {
				t.Errorf("%s: got %v, want %v", name, got[name], claim.gives)
			}
		}
	})
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		up.Liar.SetFaults(federationtest.Faults{Claims: map[string]any{
			"profile": "javascript:alert(1)", "picture": "data:image/png,x", "website": 7, "gender": []any{"x"}, "birthdate": "28.2.1990",
			"zoneinfo": "Oslo", "locale": "norsk", "phone_number": "22334455", "address": "Gate 1", "middle_name": "a\u0000b",
		}})
		b.Visitor(t).AuthorizeThrough(t, "liar", "victim")
		u := b.UserByEmail(t, providertest.VictimMail)
		u.Name, u.GivenName, u.FamilyName = "", "", ""
		if p := storage.ProfileOf(u); p != (storage.Profile{}) {
			t.Errorf("got the profile %+v, want an empty one", p)
		}
	})
}

// For every claim that the settings of a connector accept, two different mappings give two
// different results.
func TestProfile_EveryMappingHasAnEffect(t *testing.T) {
	values := map[string]any{
		"email": "Victim@CORP.example", "email_verified": true, "groups": []any{"other"}, "address": map[string]any{"country": "XX"},
		"profile": "https://other.example/", "picture": "https://other.example/a.png", "website": "https://other.example/",
		"birthdate": "1999", "zoneinfo": "Asia/Tokyo", "locale": "ja", "phone_number": "+81312345678",
	}
	for _, name := range []string{
		"address", "birthdate", "email", "email_verified", "family_name", "gender", "given_name", "groups", "locale", "middle_name", "name",
		"nickname", "phone_number", "picture", "preferred_username", "profile", "website", "zoneinfo",
	} {
		other := values[name]
		if other == nil {
			other = "other"
		}
		seen := func(setting string) (result string) {
			providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
				up.Liar.SetFaults(providertest.ChangeClaim("elsewhere", other))
				v := b.Visitor(t)
				tokens := b.Redeem(t, v.Allow(t, v.AuthorizeThrough(t, "liar", "victim", "scope", "openid profile email phone address groups")).Code(t))
				claims := b.Userinfo(t, tokens["access_token"].(string)).JSON(t)
				delete(claims, "sub")
				delete(claims, "updated_at")
				result = fmt.Sprint(claims)
			}, mapping(map[string]string{name: setting}))
			return result
		}
		if one, two := seen("elsewhere"), seen("nowhere"); one == two {
			t.Errorf("claims: {%s: …} has no effect: %s", name, one)
		}
	}
}
