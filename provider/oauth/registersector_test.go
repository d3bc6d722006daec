package oauth_test

import (
	"net/http"
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

const (
	sectorRedirect = "https://rp.example.org/cb"
	otherRedirect  = "https://rp.example.net/cb"
)

// pairwiseDocument registers a client with two hosts and the document of this server.
func pairwiseDocument(s *providertest.SectorServer, more string) string {
	return `{"redirect_uris":["` + sectorRedirect + `","` + otherRedirect + `"],"subject_type":"pairwise","sector_identifier_uri":"` + s.URI() + `"` + more + `}`
}

// P-59, P-61, DR-10: the document of sector_identifier_uri is fetched at the registration and must
// list every redirect URI. The answer has both members, and the client changes itself by the same
// rule.
func TestRegister_SectorDocumentMustListEveryRedirectURI(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		s := providertest.ServeSector(t, sectorRedirect)
		b := providertest.StartOn(t, backend, providertest.WithRegistration(directory.RegistrationOpen), s.Trusted)
		send := func(document string) providertest.Answer {
			return b.SendRegistration(t, http.MethodPost, b.Issuer+"/register", "", document)
		}
		providertest.WantOAuthError(t, send(pairwiseDocument(s, "")), http.StatusBadRequest, "invalid_client_metadata")
		public := strings.Replace(pairwiseDocument(s, ""), "pairwise", "public", 1)
		providertest.WantOAuthError(t, send(public), http.StatusBadRequest, "invalid_client_metadata")

		s.List(sectorRedirect, otherRedirect, "https://third.example/cb")
		made := b.RegisterItself(t, "", pairwiseDocument(s, ""))
		if made["subject_type"] != "pairwise" || made["sector_identifier_uri"] != s.URI() {
			t.Errorf("got %v", made)
		}
		id := made["client_id"].(string)
		if c, err := b.DB.Client(t.Context(), id); err != nil || c.Sector != "127.0.0.1" {
			t.Errorf("stored the sector %q, %v", c.Sector, err)
		}
		address, token := made["registration_client_uri"].(string), made["registration_access_token"].(string)
		change := func(document string) providertest.Answer {
			return b.SendRegistration(t, http.MethodPut, address, token, strings.Replace(document, "{", `{"client_id":"`+id+`",`, 1))
		}
		third := strings.Replace(pairwiseDocument(s, ""), otherRedirect, "https://third.example/cb", 1)
		s.List(sectorRedirect)
		providertest.WantOAuthError(t, change(third), http.StatusBadRequest, "invalid_client_metadata")
		s.List("https://third.example/cb", sectorRedirect)
		if a := change(third); a.StatusCode != http.StatusOK || a.JSON(t)["sector_identifier_uri"] != s.URI() {
			t.Errorf("a listed change: got %d %s", a.StatusCode, a.Body)
		}
		fetches := s.Fetches.Load()
		if a := change(third); a.StatusCode != http.StatusOK || s.Fetches.Load() != fetches {
			t.Errorf("a change without new URIs: got %d and %d fetches", a.StatusCode, s.Fetches.Load()-fetches)
		}
		oneHost := `{"redirect_uris":["https://rp.example.org/cb"],"subject_type":"pairwise"}`
		if a := change(oneHost); a.StatusCode != http.StatusOK {
			t.Errorf("one host: got %d %s", a.StatusCode, a.Body)
		}
		if c, err := b.DB.Client(t.Context(), id); err != nil || c.Sector != "rp.example.org" {
			t.Errorf("with one host: the sector is %q, %v", c.Sector, err)
		}
		twoHosts := `{"redirect_uris":["` + sectorRedirect + `","` + otherRedirect + `"],"subject_type":"pairwise"}`
		providertest.WantOAuthError(t, send(twoHosts), http.StatusBadRequest, "invalid_client_metadata")
	})
}

// DR-02: a private host is never called for a stranger. If a document cannot be fetched, the answer
// does not tell what this server has met; the log does.
func TestRegister_SectorDocumentThatCannotBeFetched(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		s := providertest.ServeSector(t, sectorRedirect, otherRedirect)
		open := providertest.WithRegistration(directory.RegistrationOpen)
		register := func(b *providertest.Testbed, document string) providertest.Answer {
			a := b.SendRegistration(t, http.MethodPost, b.Issuer+"/register", "", document)
			providertest.WantOAuthError(t, a, http.StatusBadRequest, "invalid_client_metadata")
			return a
		}
		register(b.Restarted(t, open), pairwiseDocument(s, ""))
		if s.Fetches.Load() != 0 {
			t.Error("the private host was called")
		}
		trusting := b.Restarted(t, func(c *provider.Config) { open(c); s.Trusted(c) })
		register(trusting, strings.Replace(pairwiseDocument(s, ""), "https://127.0.0.1", "http://127.0.0.1", 1))
		s.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		if a := register(trusting, pairwiseDocument(s, "")); strings.Contains(a.Body, "418") || !strings.Contains(a.Body, "cannot be fetched") {
			t.Errorf("the answer is %s", a.Body)
		}
		if !strings.Contains(b.Log.String(), "status is not 200: it is 418") {
			t.Errorf("the log does not name the cause: %s", b.Log)
		}
	})
}

// A client that registered itself gets tokens with its own subjects.
func TestRegister_PairwiseClientWorks(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		made := b.RegisterItself(t, "", `{"redirect_uris":["`+sectorRedirect+`"],"subject_type":"pairwise"}`)
		client, err := b.DB.Client(t.Context(), made["client_id"].(string))
		if err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		bed := b.AsClient(client, made["client_secret"].(string))
		tokens := bed.Redeem(t, bed.Visitor(t).SignInForCode(t))
		sub := providertest.ClaimsOf(t, tokens["id_token"])["sub"]
		if sub == b.Alice.ID || bed.Userinfo(t, tokens["access_token"].(string)).JSON(t)["sub"] != sub {
			t.Errorf("the subject is %v", sub)
		}
		if client.Sector != "rp.example.org" || client.Metadata.SubjectType != storage.SubjectPairwise {
			t.Errorf("stored %+v", client)
		}
	}, providertest.WithRegistration(directory.RegistrationOpen))
}
