package federation_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"signet/federation"
	"signet/federation/federationtest"
)

// malformations lists the texts that replace a member's value in an otherwise valid document.
// HONEST is the valid value, NAME the member's name; "" removes the member.
var malformations = map[string]string{
	"absent":           "",
	"null":             `null`,
	"a number":         `5`,
	"a fraction":       `1.5`,
	"beyond a float":   `-1e999`,
	"true":             `true`,
	"empty":            `""`,
	"text":             `"x"`,
	"an empty list":    `[]`,
	"an odd list":      `[null,1,{"a":1}]`,
	"an object":        `{"a":{"b":[1,null]}}`,
	"half a surrogate": `"\ud800"`,
	"not UTF-8":        "\"\xff\"",
	"too deep":         strings.Repeat("[", 40) + strings.Repeat("]", 40),
	"twice":            `HONEST,"NAME":HONEST`,
	"twice, differing": `5,"NAME":HONEST`,
	"in two cases":     `HONEST,"OTHER":5`,
}

// malformed returns the object with one malformed member. It adds the member if it is absent.
func malformed(t *testing.T, document []byte, name, how string) []byte {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(document))
	if _, err := d.Token(); err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	value := malformations[how]
	replaced := func(honest string) string {
		return strings.NewReplacer("HONEST", honest, "NAME", name, "OTHER", strings.ToUpper(name)).Replace(value)
	}
	var members []string
	found := false
	for d.More() {
		key, _ := d.Token()
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		if key == name {
			found = true
			if text = replaced(text); value == "" {
				continue
			}
		}
		members = append(members, fmt.Sprintf("%q:%s", key, text))
	}
	if !found && value != "" {
		members = append(members, fmt.Sprintf("%q:%s", name, replaced(`"x"`)))
	}
	return []byte("{" + strings.Join(members, ",") + "}")
}

// decidingMember is a member that a sign-in depends on.
type decidingMember struct {
	name string
	// fine lists the malformations that change nothing, other those that change the identity
	// but do not end the sign-in; separated by "; ". All others end the sign-in.
	fine, other string
	later       string // malformations that only a later call refuses
	cause       string // must be in the error; "": the name
}

const (
	missing = "absent; null; empty"
	once    = "twice; twice, differing; in two cases" // malformations that make a member ambiguous
)

// upstreamDocument is one document of an upstream: how to malform it, and which members a
// sign-in reads.
type upstreamDocument struct {
	settings func(*federation.Config)
	faults   federationtest.Faults // set in addition to the malformed member
	path     string                // of the answer; "" if the document is in a token
	setEdit  func(*federationtest.Faults, func([]byte) []byte)
	gitHub   bool // the upstream is the pretend GitHub
	element  bool // the document is a list; its second element is malformed
	deciding []decidingMember
	optional []string // members that are read, but on which no decision depends
	unread   string   // members that no sign-in reads, separated by spaces
}

// registered lists the registered metadata members that no sign-in reads.
const registered = "registration_endpoint scopes_supported response_types_supported response_modes_supported grant_types_supported " +
	"acr_values_supported subject_types_supported id_token_encryption_alg_values_supported userinfo_encryption_alg_values_supported " +
	"userinfo_signing_alg_values_supported request_object_signing_alg_values_supported display_values_supported claim_types_supported " +
	"claims_supported service_documentation claims_locales_supported ui_locales_supported claims_parameter_supported " +
	"request_parameter_supported op_policy_uri op_tos_uri code_challenge_methods_supported prompt_values_supported end_session_endpoint " +
	"check_session_iframe revocation_endpoint introspection_endpoint mtls_endpoint_aliases x_unknown"

var documents = map[string]upstreamDocument{
	"discovery": {
		path: "/.well-known/openid-configuration",
		deciding: []decidingMember{
			{name: "issuer"}, {name: "authorization_endpoint"}, {name: "token_endpoint"}, {name: "jwks_uri"},
			{name: "userinfo_endpoint", fine: missing},
			{name: "id_token_signing_alg_values_supported", fine: "absent; null"},
			{name: "token_endpoint_auth_methods_supported", fine: "absent; null; empty; text; an empty list; an odd list"},
			{name: "authorization_response_iss_parameter_supported", fine: "absent; null; true"},
		},
		unread: registered,
	},
	"discovery, client authentication by the settings": {
		path:     "/.well-known/openid-configuration",
		settings: func(c *federation.Config) { c.ClientAuth = "client_secret_basic" },
		unread:   registered + " token_endpoint_auth_methods_supported",
	},
	"key set": {path: "/jwks", deciding: []decidingMember{{name: "keys"}}, unread: "x_unknown iat"},
	"token answer": {
		path: "/token",
		deciding: []decidingMember{
			{name: "access_token", fine: "text"}, {name: "id_token"},
			{name: "token_type", fine: missing},
			{name: "error", fine: missing},
		},
		unread: "expires_in scope refresh_token error_description error_uri state session_state not-before-policy x_unknown",
	},
	"token answer, kept": {
		path:     "/token",
		settings: func(c *federation.Config) { c.KeepToken = true },
		unread:   "expires_in scope refresh_token x_unknown",
	},
	"ID token header": {
		setEdit: func(f *federationtest.Faults, edit func([]byte) []byte) { f.HeaderText = edit },
		deciding: []decidingMember{
			{name: "alg"}, {name: "kid", fine: missing},
			{name: "crit", fine: "absent"},
		},
		unread: "typ cty jku jwk x5u x5c x5t x5t#S256 b64 zip nonce x_unknown",
	},
	"ID token": {
		setEdit: func(f *federationtest.Faults, edit func([]byte) []byte) { f.Payload = edit },
		deciding: []decidingMember{
			{name: "iss"}, {name: "aud"}, {name: "sub", other: "text"}, {name: "nonce"},
			{name: "azp", fine: missing},
			{name: "exp", cause: "exp"}, {name: "iat", fine: "a number; a fraction"},
			{name: "nbf", fine: "absent; null; a number; a fraction"},
			{name: "auth_time", other: "absent; null; a number; a fraction"},
			{name: "at_hash", fine: missing},
			{name: "email", fine: missing, other: "text"},
			{name: "email_verified", fine: "true", other: "absent; null"},
		},
		optional: []string{
			"name", "given_name", "family_name", "preferred_username", "picture", "locale", "acr", "amr",
			"middle_name", "nickname", "profile", "website", "gender", "birthdate", "zoneinfo", "phone_number",
		},
		unread: "_claim_names _claim_sources c_hash s_hash sid jti address phone_number_verified updated_at " +
			"groups roles hd tid oid realm_access x_unknown",
	},
	"userinfo": {
		faults:  federationtest.Faults{LeanIDToken: true},
		setEdit: func(f *federationtest.Faults, edit func([]byte) []byte) { f.UserInfoPayload = edit },
		deciding: []decidingMember{
			{name: "sub"},
			{name: "email", other: "text; " + missing},
			{name: "email_verified", fine: "true", other: "absent; null"},
		},
		optional: []string{"name", "given_name", "family_name", "preferred_username", "picture", "locale", "phone_number"},
		unread:   "iss aud exp iat nbf nonce acr amr auth_time _claim_names _claim_sources groups address updated_at phone_number_verified x_unknown",
	},
	"signed userinfo": {
		faults:  federationtest.Faults{LeanIDToken: true, SignedUserInfo: true, SignUserInfoBy: "PS384"},
		setEdit: func(f *federationtest.Faults, edit func([]byte) []byte) { f.UserInfoPayload = edit },
		deciding: []decidingMember{
			{name: "sub"}, {name: "iss"}, {name: "aud"},
			{name: "exp", fine: "absent; null"}, {name: "nbf", fine: "absent; null; a number; a fraction"},
			{name: "email", other: "text; " + missing},
		},
		optional: []string{"name", "preferred_username", "picture"},
		unread:   "iat azp nonce at_hash auth_time _claim_names _claim_sources jti x_unknown",
	},
	"GitHub's token answer": {
		gitHub: true,
		path:   "/login/oauth/access_token",
		deciding: []decidingMember{
			{name: "access_token", later: "text"}, {name: "token_type", fine: missing}, {name: "error", fine: missing},
		},
		unread: "scope id_token expires_in refresh_token refresh_token_expires_in error_description x_unknown",
	},
	"GitHub's user": {
		gitHub:   true,
		path:     "/api/v3/user",
		deciding: []decidingMember{{name: "id", other: "a number"}},
		optional: []string{"name", "login", "avatar_url"},
		unread:   "email node_id type company blog location bio followers plan created_at site_admin x_unknown",
	},
	"GitHub's addresses": {
		gitHub: true, element: true,
		path: "/api/v3/user/emails",
		deciding: []decidingMember{
			{name: "email", other: "text"},
			// Only the value true counts.
			{name: "verified", fine: "true", other: notTrue}, {name: "primary", fine: "true", other: notTrue},
		},
		unread: "visibility x_unknown",
	},
}

const notTrue = "absent; null; a number; a fraction; beyond a float; empty; text; an empty list; an odd list; an object; half a surrogate; " +
	"not UTF-8; too deep; " + once

// TestFinish_EveryMemberOfEveryDocumentMalformed malforms each member of each document in each
// way. Members that are not read change nothing. A malformed optional member is left out. A
// malformed deciding member ends the sign-in with an error that names it, or changes nothing.
func TestFinish_EveryMemberOfEveryDocumentMalformed(t *testing.T) {
	for name, document := range documents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := document.start(t)
			for how := range malformations {
				b.checkUnread(t, how)
				for _, r := range document.deciding {
					b.checkDeciding(t, r, how)
				}
				if !b.checkOptional(t, how, document.optional...) {
					for _, name := range document.optional { // to name the member in the failure
						b.checkOptional(t, how, name)
					}
				}
			}
		})
	}
}

// documentTrial is an upstream for one document, and the identity from the valid document.
type documentTrial struct {
	upstreamDocument
	edit   func(path string, f func(*federationtest.Answer))
	liar   *federationtest.Lying // nil: the upstream is GitHub
	config federation.Config
	person string // the account that signs in
	honest federation.Identity
	clock  *clock
}

func (d upstreamDocument) start(t *testing.T) *documentTrial {
	t.Helper()
	b := &documentTrial{upstreamDocument: d, person: "victim"}
	change := func(c *federation.Config) {
		c.Trust = federation.Verifies
		if d.settings != nil {
			d.settings(c)
		}
		b.config = *c
	}
	var up *trial
	if d.gitHub {
		var g *federationtest.GitHub
		g, up = gitHub(t, change)
		b.edit, b.person = g.EditAnswer, "octo"
	} else {
		b.liar, up = lying(t, change)
		b.edit = b.liar.EditAnswer
		b.liar.SetFaults(d.faults)
	}
	b.clock = up.clock
	b.honest = up.mustSignIn(t, b.person)
	b.honest.Token = nil
	return b
}

// malform malforms members of the document.
func (b *documentTrial) malform(t *testing.T, how string, names ...string) {
	t.Helper()
	edit := func(document []byte) []byte {
		for _, name := range names {
			if b.element {
				document = bytes.Trim(document, "[]\n")
				other, honest, _ := bytes.Cut(document, []byte("},"))
				document = slices.Concat([]byte("["), other, []byte("},"), malformed(t, honest, name, how), []byte("]"))
				continue
			}
			document = malformed(t, document, name, how)
		}
		return document
	}
	if b.setEdit == nil {
		b.edit(b.path, func(a *federationtest.Answer) { a.Body = edit(a.Body) })
		return
	}
	faults := b.faults
	b.setEdit(&faults, edit)
	b.liar.SetFaults(faults)
}

// signIn makes a sign-in with a connector whose cache is empty.
func (b *documentTrial) signIn(t *testing.T) (federation.Identity, error) {
	t.Helper()
	up := connect(t, b.config, b.clock)
	a, to, err := up.Start(t.Context(), federation.Options{RedirectURI: redirectURI})
	if err != nil {
		checkErrorContract(t, err)
		return federation.Identity{}, err
	}
	back, err := federationtest.ChooseAccount(up.client, to, b.person)
	if err != nil {
		t.Fatal(err)
	}
	i, err := up.finish(t, a, back)
	if kept := i.Token; kept != nil && (kept.AccessToken == "" || kept.ExpiresAt < 0) {
		t.Errorf("got token %+v", *kept)
	}
	i.Token = nil
	return i, err
}

func (b *documentTrial) checkUnread(t *testing.T, how string) {
	t.Helper()
	b.malform(t, how, strings.Fields(b.unread)...)
	i, err := b.signIn(t)
	if err == nil && reflect.DeepEqual(i, b.honest) {
		return
	}
	for _, name := range strings.Fields(b.unread) { // to name the member in the failure
		b.malform(t, how, name)
		if i, err := b.signIn(t); err != nil || !reflect.DeepEqual(i, b.honest) {
			t.Errorf("%s, which is not read, is %s: got %+v, %v; want %+v", name, how, i, err, b.honest)
		}
	}
}

func (b *documentTrial) checkDeciding(t *testing.T, r decidingMember, how string) {
	t.Helper()
	b.malform(t, how, r.name)
	i, err := b.signIn(t)
	among := func(list string) bool { return slices.Contains(strings.Split(list, "; "), how) }
	cause := cmp.Or(r.cause, r.name)
	switch {
	case among(r.other):
		if err != nil || i.Connector == "" {
			t.Errorf("%s is %s: got %v, want a sign-in", r.name, how, err)
		}
	case err == nil && reflect.DeepEqual(i, b.honest):
		if !among(r.fine) {
			t.Errorf("%s is %s: the sign-in succeeds, want it refused", r.name, how)
		}
	case err == nil:
		t.Errorf("%s is %s: the sign-in succeeds with another identity: %+v", r.name, how, i)
	case among(r.fine):
		t.Errorf("%s is %s: %v; want a sign-in", r.name, how, err)
	case among(r.later):
	case !strings.Contains(err.Error(), cause) || !errors.Is(err, federation.ErrUntrusted) && !errors.Is(err, federation.ErrMisconfigured):
		t.Errorf("%s is %s: %v; want an error about %s", r.name, how, err, cause)
	}
}

func (b *documentTrial) checkOptional(t *testing.T, how string, names ...string) bool {
	t.Helper()
	b.malform(t, how, names...)
	i, err := b.signIn(t)
	if err != nil {
		t.Errorf("%v, which are optional, are %s: %v", names, how, err)
		return false
	}
	without := b.honest
	for _, i := range []*federation.Identity{&i, &without} {
		i.Name, i.GivenName, i.FamilyName, i.Username, i.Picture, i.Locale = "", "", "", "", "", ""
		i.MiddleName, i.Nickname, i.ProfileURL, i.Website, i.Gender, i.Birthdate, i.Zoneinfo, i.PhoneNumber = "", "", "", "", "", "", "", ""
		i.ACR, i.AMR = "", nil
	}
	if !reflect.DeepEqual(i, without) {
		t.Errorf("%v are %s: got %+v, want %+v", names, how, i, without)
		return false
	}
	return true
}
