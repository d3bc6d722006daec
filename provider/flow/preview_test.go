package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/keys/vault"
	"signet/provider/providertest"
	"signet/provider/request"
	"signet/provider/subject"
	"signet/storage"
)

// previewed are the users and clients of one run: each user signs in at each client.
const previewedUsers, previewedClients = 6, 12

// TestPreview_EqualsWhatIsIssued generates users and clients and lets each user sign in at each
// client with generated scopes and a generated claims parameter. The preview has exactly the claims
// of the ID token, the access token and userinfo, except those of the sign-in, and a reason for
// each claim about the user that is or could be there.
func TestPreview_EqualsWhatIsIssued(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		r := rand.New(rand.NewPCG(19, 3))
		subjects := subjectsOf(t, b)
		var clients []*providertest.Testbed
		for i := range previewedClients {
			client, secret := b.RegisterWith(t, storage.Web, fmt.Sprintf("app%d", i), func(c *storage.Client) { generateClient(r, c) })
			clients = append(clients, b.AsClient(client, secret))
		}
		b.Follow(t)
		seen := map[string]int{}
		for i := range previewedUsers {
			u := b.CreateUser(t, generateUser(r, i), providertest.Password)
			v := b.Visitor(t)
			v.SignIn(t, v.Get(t, b.AuthorizeURL()), u.Email, providertest.Password)
			for _, at := range clients {
				comparePreview(t, r, at, v, b.UserByEmail(t, u.Email), subjects, seen)
			}
		}
		for _, what := range []string{"issued", "refused", "too long", "response type id_token", "pairwise", "email", "no email", "groups", "access groups", "requested", "out of scope", "scopes in ID token"} {
			if seen[what] == 0 {
				t.Errorf("no generated sign-in is of the kind %q: %v", what, seen)
			}
		}
	})
}

// subjectsOf returns the subjects of the testbed's provider, with keys of their own.
func subjectsOf(t *testing.T, b *providertest.Testbed) subject.Subjects {
	t.Helper()
	opened, err := vault.New(vault.Config{Master: [32]byte{1, 2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(context.Background(), keys.Config{DB: b.DB, Vault: opened, Issuer: b.Issuer, Now: b.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.LoadSubjectSecret(context.Background()); err != nil {
		t.Fatal(err)
	}
	return subject.New(ring)
}

// generateClient sets the fields that decide about claims. Consent is skipped, because it changes no
// claim.
func generateClient(r *rand.Rand, c *storage.Client) {
	c.Metadata.RedirectURIs, c.SkipConsent = []string{providertest.Callback}, true
	c.UnverifiedEmail, c.Metadata.ClaimsInIDToken = r.IntN(2) == 0, r.IntN(3) == 0
	if r.IntN(2) == 0 {
		c.Metadata.SubjectType = storage.SubjectPairwise
	}
	if r.IntN(3) == 0 {
		c.Metadata.GrantTypes = []string{storage.GrantCode}
	}
	if r.IntN(3) > 0 {
		c.Metadata.Scope = strings.Join(append(some(r, request.ScopeNames[1:]), "openid"), " ")
	}
	if r.IntN(3) == 0 {
		c.Metadata.GrantTypes, c.Metadata.ResponseTypes = []string{storage.GrantImplicit}, []string{"id_token"}
	}
	if r.IntN(4) == 0 {
		c.Metadata.UserinfoSignedAlg = "ES256"
	}
}

// generateUser returns a user that has each attribute or not. Some have too many groups, an address
// that is not verified, or a name that cannot be compared.
func generateUser(r *rand.Rand, i int) storage.User {
	u := storage.User{Email: fmt.Sprintf("user%d@example.com", i), EmailVerified: i%2 == 0}
	for _, field := range []*string{
		&u.Name, &u.GivenName, &u.FamilyName, &u.MiddleName, &u.Nickname, &u.PreferredUsername,
		&u.Profile, &u.Picture, &u.Website, &u.Gender, &u.Birthdate, &u.Zoneinfo, &u.Locale, &u.PhoneNumber,
	} {
		if r.IntN(3) > 0 {
			*field = fmt.Sprintf("<value> \u201c%d", r.Uint64())
		}
	}
	u.PhoneNumberVerified = u.PhoneNumber != "" && r.IntN(2) == 0
	if r.IntN(2) == 0 {
		u.Address = storage.Address{Locality: "Zürich", Country: "CH"}
	}
	u.Roles, u.Groups = some(r, []string{"reader", "writer", "reader"}), some(r, []string{"staff", "ops & dev"})
	if i == previewedUsers-1 {
		for n := range 200 {
			u.Groups = append(u.Groups, fmt.Sprintf("a-long-name-of-a-group-%d", n))
		}
	}
	return u
}

// some returns a part of the list, in a random order.
func some[T any](r *rand.Rand, list []T) []T {
	list = slices.Clone(list)
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:r.IntN(len(list)+1)]
}

// claimsParameter returns a random claims parameter; "" for none.
func claimsParameter(r *rand.Rand) string {
	if r.IntN(3) == 0 {
		return ""
	}
	asked := map[string]map[string]any{}
	for _, place := range []string{"userinfo", "id_token"} {
		asked[place] = map[string]any{}
		for _, name := range some(r, append(flow.ClaimNames(), "salary")) {
			if name != "sub" && name != "acr" && r.IntN(3) == 0 {
				asked[place][name] = nil
			}
		}
	}
	text, _ := json.Marshal(asked)
	return string(text)
}

// comparePreview signs the user of v in at a client, and compares what the client gets with the
// preview. seen counts the kinds of sign-ins.
func comparePreview(t *testing.T, r *rand.Rand, b *providertest.Testbed, v *providertest.Visitor, u storage.User, subjects subject.Subjects, seen map[string]int) {
	t.Helper()
	scopes := append(some(r, append(request.ScopeNames[1:len(request.ScopeNames):len(request.ScopeNames)], "unheard-of")), "openid")
	kind := b.Client.Metadata.ResponseTypes[0]
	p := flow.PreviewRequest{Issuer: b.Issuer, Client: b.Client, User: u, Scopes: scopes, Claims: claimsParameter(r)}
	var err error
	if p.Subject, err = subjects.OfUser(b.Client, u); err != nil {
		t.Fatal(err)
	}
	shown, err := flow.PreviewClaims(p)
	label := fmt.Sprintf("%s at %s (%s), scopes %q, claims %s", u.Email, b.Client.ID, b.Client.Metadata.Scope, scopes, p.Claims)
	stop := v.Get(t, b.AuthorizeURL("scope", strings.Join(scopes, " "), "claims", p.Claims, "response_type", kind, "response_mode", "fragment"))
	issued, refusal := collectIssued(t, b, stop, kind)
	if tooLong, is := errors.AsType[*flow.ListTooLongError](err); is {
		seen["too long"]++
		if !strings.Contains(refusal, tooLong.Claim) {
			t.Errorf("%s: the preview refuses %v, the server answered %q %v", label, err, refusal, issued)
		}
		return
	}
	if err != nil || refusal != "" {
		t.Fatalf("%s: preview %v, refusal %q", label, err, refusal)
	}
	seen["issued"]++
	seen["response type "+kind]++
	want := map[string]any{}
	text, err := json.Marshal(shown)
	if err != nil || json.Unmarshal(text, &want) != nil {
		t.Fatal(err)
	}
	for _, place := range []string{"id_token", "access_token", "userinfo"} {
		if !reflect.DeepEqual(issued[place], want[place]) {
			t.Errorf("%s: %s: the preview shows\n%v\nissued is\n%v", label, place, want[place], issued[place])
		}
	}
	checkReasons(t, label, p, shown)
	count(seen, p, shown)
}

// ofASignIn lists the claims that a preview leaves out.
var ofASignIn = strings.Fields("acr amr auth_time sid gid nonce jti iat exp at_hash c_hash")

// collectIssued returns the claims of each place without those of the sign-in, or the answer of
// the endpoint that refused.
func collectIssued(t *testing.T, b *providertest.Testbed, s providertest.Stop, kind string) (issued map[string]map[string]any, refusal string) {
	t.Helper()
	issued = map[string]map[string]any{"id_token": {}, "access_token": {}, "userinfo": {}}
	response := s.Response(t)
	if response.Get("error") != "" {
		return nil, response.Encode()
	}
	tokens := map[string]any{}
	if kind == storage.ResponseTypeCode {
		a := b.TokenRequest(t, b.CodeForm(response.Get("code")))
		if a.StatusCode != http.StatusOK {
			return nil, a.Body
		}
		tokens = a.JSON(t)
	} else {
		tokens["id_token"] = response.Get("id_token")
	}
	issued["id_token"] = plain(t, providertest.Decoded(t, tokens["id_token"]))
	if access, there := tokens["access_token"].(string); there {
		issued["access_token"] = plain(t, providertest.Decoded(t, access))
		a := b.Userinfo(t, access)
		if a.StatusCode != http.StatusOK {
			return nil, a.Body
		}
		body := []byte(a.Body)
		if b.Client.Metadata.UserinfoSignedAlg != "" {
			body = providertest.Decoded(t, a.Body)
		}
		issued["userinfo"] = plain(t, body)
		if b.Client.Metadata.UserinfoSignedAlg != "" { // the signature adds them
			delete(issued["userinfo"], "iss")
			delete(issued["userinfo"], "aud")
		}
	}
	return issued, ""
}

// plain decodes claims and removes those of the sign-in.
func plain(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(claims, func(name string, _ any) bool { return slices.Contains(ofASignIn, name) })
	return claims
}

// checkReasons checks that each claim about the user has a reason, that a reason says "left out" exactly
// if the claim is absent, and that each scope without effect has one.
func checkReasons(t *testing.T, label string, p flow.PreviewRequest, shown flow.Preview) {
	t.Helper()
	places := map[string]struct {
		claims map[string]any
		why    map[string]string
	}{
		"id_token": {shown.IDToken, shown.Why.IDToken}, "access_token": {shown.AccessToken, shown.Why.AccessToken}, "userinfo": {shown.UserInfo, shown.Why.UserInfo},
	}
	for place, s := range places {
		for name := range s.claims {
			if s.why[name] == "" && !slices.Contains([]string{"iss", "aud", "client_id", "scope"}, name) {
				t.Errorf("%s: %s: no reason for %s", label, place, name)
			}
		}
		for name, why := range s.why {
			if _, there := s.claims[name]; there == strings.HasPrefix(why, "left out: ") {
				t.Errorf("%s: %s: %s is there: %v, but its reason is %q", label, place, name, there, why)
			}
		}
	}
	for _, scope := range p.Scopes {
		granted := slices.Contains(strings.Fields(fmt.Sprint(shown.AccessToken["scope"])), scope)
		if len(shown.AccessToken) > 0 && granted == (shown.Why.Scopes[scope] != "") {
			t.Errorf("%s: scope %s is granted: %v, but its reason is %q", label, scope, granted, shown.Why.Scopes[scope])
		}
	}
}

// count counts the kinds of a sign-in.
func count(seen map[string]int, p flow.PreviewRequest, shown flow.Preview) {
	mark := func(what string, is bool) {
		if is {
			seen[what]++
		}
	}
	mark("pairwise", p.Client.Metadata.SubjectType == storage.SubjectPairwise)
	mark("email", shown.UserInfo["email"] != nil)
	mark("no email", strings.Contains(shown.Why.UserInfo["email"], "not verified, and"))
	mark("groups", shown.UserInfo["groups"] != nil)
	mark("access groups", shown.AccessToken["groups"] != nil)
	mark("refused", shown.Why.Scopes["unheard-of"] != "")
	for _, why := range shown.Why.IDToken {
		mark("scopes in ID token", strings.HasSuffix(why, "claims_in_id_token") && !strings.HasPrefix(why, "left out"))
		mark("requested", why == "claims parameter")
		mark("out of scope", strings.Contains(why, "not registered"))
	}
}

// TestPreview_SaysWhyAClaimIsAbsent has one row for each reason.
func TestPreview_SaysWhyAClaimIsAbsent(t *testing.T) {
	client := func(change func(*storage.Client)) storage.Client {
		c := storage.Client{ID: "app", Metadata: storage.ClientMetadata{GrantTypes: []string{storage.GrantCode}, ResponseTypes: []string{"code"}}}
		change(&c)
		return c
	}
	anyone := func(*storage.Client) {}
	user := storage.User{ID: "usr_1", Email: "ada@example.com", PreferredUsername: "...", Roles: []string{"reader"}}
	for name, c := range map[string]struct {
		change func(*storage.Client)
		claims string
		place  func(flow.PreviewReasons) map[string]string
		claim  string
		want   string
	}{
		"unverified address":      {anyone, "", inUserInfo, "email", "left out: the address is not verified, and the client setting unverified_email is off"},
		"unverified, but allowed": {func(c *storage.Client) { c.UnverifiedEmail = true }, "", inUserInfo, "email", "scope email; the address is not verified, but the client setting unverified_email is on"},
		"name of another user":    {anyone, "", inUserInfo, "preferred_username", "left out: another user has a name that looks the same"},
		"no value":                {anyone, "", inUserInfo, "nickname", "left out: the user has no value"},
		"scope and parameter":     {anyone, `{"userinfo":{"roles":null}}`, inUserInfo, "roles", "scope roles and claims parameter"},
		"parameter":               {anyone, `{"id_token":{"roles":null}}`, inIDToken, "roles", "claims parameter"},
		"scope in the code flow":  {anyone, "", inIDToken, "roles", "left out: scope roles releases it at userinfo; the claims parameter or the client setting claims_in_id_token adds it to the ID token"},
		"setting of the client":   {func(c *storage.Client) { c.Metadata.ClaimsInIDToken = true }, "", inIDToken, "roles", "scope roles; client setting claims_in_id_token"},
		"access token":            {anyone, "", inAccessToken, "roles", "scope roles"},
		"pairwise subject": {func(c *storage.Client) { c.Metadata.SubjectType, c.Sector = storage.SubjectPairwise, "a.example" }, "", inIDToken, "sub",
			"client setting subject_type pairwise, for the sector a.example"},
		"claim of a scope that is not registered": {func(c *storage.Client) { c.Metadata.Scope = "openid" }, `{"id_token":{"roles":null}}`, inIDToken, "roles",
			"left out: scope roles: the client is not registered for this scope"},
	} {
		shown, err := flow.PreviewClaims(flow.PreviewRequest{Issuer: "https://id.example.com", Client: client(c.change), User: user, Subject: user.ID, Claims: c.claims})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := c.place(shown.Why)[c.claim]; got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	service := client(func(c *storage.Client) {
		c.Metadata.GrantTypes, c.Metadata.ResponseTypes = []string{storage.GrantClientCredentials}, nil
	})
	for name, c := range map[string]struct {
		p    flow.PreviewRequest
		want error
	}{
		"service":       {flow.PreviewRequest{Client: service}, flow.ErrNoSignIn},
		"response type": {flow.PreviewRequest{Client: client(anyone), ResponseType: "id_token"}, flow.ErrUnregisteredResponseType},
		"scopes":        {flow.PreviewRequest{Client: client(anyone), Scopes: []string{"unheard-of"}}, flow.ErrNothingLeft},
		"claims":        {flow.PreviewRequest{Client: client(anyone), Claims: "{"}, flow.ErrMalformedClaims},
	} {
		if _, err := flow.PreviewClaims(c.p); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func inUserInfo(why flow.PreviewReasons) map[string]string    { return why.UserInfo }
func inIDToken(why flow.PreviewReasons) map[string]string     { return why.IDToken }
func inAccessToken(why flow.PreviewReasons) map[string]string { return why.AccessToken }
