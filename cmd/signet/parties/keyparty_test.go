package parties_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"signet/cmd/signet/signettest"
)

// keyPartyReport holds the answers to the requests of a story of keyparty.mjs.
type keyPartyReport struct {
	Visit  string // URL that the browser must open; the story goes on after it
	Failed string // error that ended the story

	Sent           string // parameters that the browser carried to the provider
	Subject, Email string
	Introspected   string // whether the access and the refresh token are active; or the error
	Revoked        string // error of a refresh after the revocation

	ForeignKey, WithoutPKCE, NotPushed string // errors of requests that must fail

	OtherMethod                       string // error of a registered client whose secret is in the body, not in the header
	Read, Changed, Lost, MovedSubject string // the registration: name before and after, members that are gone
	Deleted                           int    // status
	Afterwards, Gone                  string // errors after the deletion
}

// keyPartyRow is a client of TestClients_OpenIDClient.
type keyPartyRow struct {
	name   string
	create []string       // flags of signet client create; nil: the client registers itself
	job    map[string]any // what keyparty.mjs is told
}

func keyPartyRows(jwks string) []keyPartyRow {
	created := func(more ...string) []string { return append([]string{"--redirect-uri", signettest.Nowhere}, more...) }
	byKey := func(alg string, more ...string) []string {
		return append(created("--token-endpoint-auth-method", "private_key_jwt", "--jwks", jwks, "--token-endpoint-auth-signing-alg", alg), more...)
	}
	const required, home = "--require-pushed-authorization-requests", "https://shop.example.com/callback"
	return []keyPartyRow{
		{"key with ES256", byKey("ES256"), map[string]any{"key": "ES256"}},
		{"key with RS256, must push", byKey("RS256", required), map[string]any{"key": "RS256", "push": true}},
		{"secret, must push", created(required), map[string]any{"push": true}},
		{"public, must push", created("--type", "native", required), map[string]any{"push": true, "public": true}},
		{"secret, signs its requests", created("--jwks", jwks, "--request-object-signing-alg", "ES256", "--require-signed-request-object"), map[string]any{"sign": "ES256"}},
		{"key with RS256, signs and pushes", byKey("RS256", required, "--require-signed-request-object"), map[string]any{"key": "RS256", "push": true, "sign": "RS256"}},
		{"registers with defaults", nil, map[string]any{"redirect_uri": home, "metadata": map[string]any{}}},
		{"registers client_secret_post", nil, map[string]any{"redirect_uri": home, "metadata": map[string]any{"token_endpoint_auth_method": "client_secret_post"}}},
		{"registers a key, must push", nil, map[string]any{"redirect_uri": home, "key": "ES256", "push": true, "metadata": map[string]any{
			"token_endpoint_auth_method": "private_key_jwt", "require_pushed_authorization_requests": true,
		}}},
		{"registers a secret, signs its requests", nil, map[string]any{"redirect_uri": home, "sign": "ES256", "metadata": map[string]any{
			"token_endpoint_auth_method": "client_secret_post", "request_object_signing_alg": "ES256", "require_signed_request_object": true,
		}}},
		{"registers as public", nil, map[string]any{"redirect_uri": signettest.Nowhere, "public": true, "metadata": map[string]any{
			"token_endpoint_auth_method": "none", "application_type": "native",
		}}},
	}
}

// TestClients_OpenIDClient signs in with openid-client, whose clients prove themselves with keys
// (RFC 7523), sign their requests (RFC 9101), push them (RFC 9126) or register themselves (RFC 7591, RFC 7592).
func TestClients_OpenIDClient(t *testing.T) {
	i := signettest.NewInstance(t)
	i.Env = append(i.Env, "SIGNET_REGISTRATION_MODE=open")
	node := signettest.StartNode(t, "keyparty.mjs", i.Issuer)
	jwks := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(jwks, []byte(node.Check(`{"story":"keys"}`)), 0o600); err != nil {
		t.Fatal(err)
	}
	rows := keyPartyRows(jwks)
	for _, row := range rows { // before the server starts, which then knows them at once
		row.job["story"] = "registered"
		if row.create != nil {
			client := i.CreateClient(t, row.create...)
			row.job["story"], row.job["client_id"], row.job["secret"], row.job["redirect_uri"] = "created", client.ID, client.Secret, signettest.Nowhere
		}
	}
	i.Serve(t)
	browser := signettest.NewFormBrowser(t)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			saw := tellStory(t, node, browser, i, row.job)
			row.checkSignIn(t, i, saw)
			if row.create != nil {
				row.checkRefusals(t, saw)
			} else {
				row.checkRegistration(t, saw)
			}
		})
	}
}

// tellStory runs a story. For each URL that it wants visited, the browser signs in or consents.
func tellStory(t *testing.T, node *signettest.LineProcess, b *signettest.FormBrowser, i *signettest.Instance, job map[string]any) keyPartyReport {
	t.Helper()
	b.T = t
	line, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	for {
		said := node.Check(string(line))
		var saw keyPartyReport
		if err := json.Unmarshal([]byte(said), &saw); err != nil || saw.Failed != "" {
			t.Fatalf("the story ended with %s (%v)", said, err)
		}
		if saw.Visit == "" {
			return saw
		}
		b.Left = nil
		b.Open(saw.Visit)
		if b.Left == nil && signettest.FindByID(b.Page, "login") != nil {
			b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
		}
		if b.Left == nil {
			b.Send("consent", "allow", nil)
		}
		line = []byte(b.Left.String())
	}
}

func (row keyPartyRow) checkSignIn(t *testing.T, i *signettest.Instance, saw keyPartyReport) {
	t.Helper()
	sent, introspected := "client_id code_challenge code_challenge_method prompt redirect_uri response_type scope state", "true true"
	if row.job["sign"] != nil {
		sent = "client_id request"
	}
	if row.job["push"] == true {
		sent = "client_id request_uri"
	}
	if row.job["public"] == true {
		introspected = "invalid_client"
	}
	if saw.Sent != sent || saw.Subject == "" || saw.Email != i.Email || saw.Introspected != introspected || saw.Revoked != "invalid_grant" {
		t.Errorf("the library saw %+v, want the parameters %q and the introspection %q", saw, sent, introspected)
	}
}

// checkRefusals checks the requests that a client must not succeed with: those with the key of
// somebody else, and those that were not pushed.
func (row keyPartyRow) checkRefusals(t *testing.T, saw keyPartyReport) {
	t.Helper()
	var foreign, open, direct string
	if row.job["key"] != nil {
		foreign = "invalid_client"
	}
	if row.job["push"] == true {
		direct = "invalid_request"
		if row.job["public"] == true {
			open = "invalid_request"
		}
	}
	if saw.ForeignKey != foreign || saw.WithoutPKCE != open || saw.NotPushed != direct {
		t.Errorf("another key: %q, want %q; without PKCE: %q, want %q; not pushed: %q, want %q", saw.ForeignKey, foreign, saw.WithoutPKCE, open, saw.NotPushed, direct)
	}
}

// checkRegistration checks that the client could read, change and delete its registration, and
// that a deleted client is refused.
func (row keyPartyRow) checkRegistration(t *testing.T, saw keyPartyReport) {
	t.Helper()
	var other string
	if len(row.job["metadata"].(map[string]any)) == 0 {
		other = "invalid_client"
	}
	if saw.OtherMethod != other {
		t.Errorf("the secret in the body: got %q, want %q", saw.OtherMethod, other)
	}
	if saw.Read != "Before" || saw.Changed != "After" || saw.Lost != "" || saw.MovedSubject != saw.Subject {
		t.Errorf("read and changed: %+v", saw)
	}
	if saw.Deleted != http.StatusNoContent || saw.Afterwards != "invalid_client" || saw.Gone != "401 invalid_token" {
		t.Errorf("deleted: %+v", saw)
	}
}
