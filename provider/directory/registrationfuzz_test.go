package directory_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/provider/outbound"
	"signet/storage"
	"signet/storage/storagetest"
)

// FuzzClientDocument registers arbitrary documents. A document is refused with the list of
// problems, or makes a client without rights that only an administrator gives.
func FuzzClientDocument(f *testing.F) {
	for _, text := range []string{
		`{"redirect_uris":["https://a.example/cb"],"client_name":"A","grant_types":["authorization_code","refresh_token"],"response_types":["code"]}`,
		`{"redirect_uris":["http://127.0.0.1/cb","com.example.app:/cb"],"application_type":"native","token_endpoint_auth_method":"none"}`,
		`{"redirect_uris":["https://a.example/cb"],"default_max_age":1e3,"require_auth_time":true,"contacts":["x"],"jwks":{"keys":[]},"scope":"openid  email"}`,
		`{"redirect_uris":["https://[::1]/"],"backchannel_logout_uri":"https://10.0.0.1","first_party":true,"resources":["https://api"]}`,
		`{"redirect_uris":["https://a.example/cb"],"subject_type":"pairwise","sector_identifier_uri":"https://a.example/sector.json"}`, `[]`, `{"a":`, "\xef\xbb\xbf{}",
	} {
		f.Add([]byte(text))
	}
	db := storagetest.SQLite(f).Open(f)
	rules := directory.New(directory.Deps{DB: db, Outbound: outbound.New(outbound.Config{Timeout: time.Nanosecond}), Now: time.Now, Registration: directory.RegistrationPolicy{Mode: directory.RegistrationOpen, PerNetwork: 1 << 30}})
	f.Fuzz(func(t *testing.T, text []byte) {
		document, err := directory.ReadClientDocument(text)
		if err == nil {
			var made directory.Registered
			made, err = rules.Register(t.Context(), document, "", storage.Origin{})
			if err == nil {
				wantHarmless(t, made.Client)
				if err := rules.DeleteClient(t.Context(), made.Client.ID, storage.Origin{}); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
		_, broken := errors.AsType[*directory.ClientError](err)
		_, noKey := errors.AsType[*directory.NoKeyError](err)
		if !broken && !noKey {
			t.Errorf("%q: got %v, want the list of problems", text, err)
		}
	})
}

func wantHarmless(t *testing.T, c storage.Client) {
	t.Helper()
	if c.FirstParty || c.SkipConsent || c.Introspects || c.PKCEOptional || c.UnverifiedEmail || c.Metadata.ClaimsInIDToken || c.PromptLogin != "" || c.RequireACR != "" || c.RefreshGrace != -1 ||
		len(c.Resources)+len(c.Audiences)+len(c.Origins) > 0 || c.Type == storage.Service || len(c.OwnGrantTypes()) > 0 || !c.IsUnapproved() {
		t.Errorf("a client registered itself with rights: %+v", c)
	}
	if _, err := json.Marshal(directory.ClientMembers(c)); err != nil {
		t.Errorf("the members of %+v: %v", c, err)
	}
}
