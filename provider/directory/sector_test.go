package directory_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/provider/outbound"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// withPairwise gives a client pairwise subjects and these redirect URIs.
func withPairwise(uris ...string) func(*storage.Client) {
	return func(c *storage.Client) {
		c.Metadata.SubjectType, c.Metadata.RedirectURIs = storage.SubjectPairwise, uris
	}
}

// OIDC Core, section 8.1: the sector is the one host of the redirect URIs.
func TestSectorOf_HostOfTheRedirectURIs(t *testing.T) {
	const own = "client:app"
	for _, c := range []struct {
		kind storage.ClientType
		uris []string
		want string // "": refused
	}{
		{storage.Web, []string{"https://app.example.com/cb"}, "app.example.com"},
		{storage.Web, []string{"https://app.example.com/cb", "https://app.example.com:8443/other?x=1"}, "app.example.com"},
		{storage.Web, []string{"https://app.example.com/cb", "https://app.example.org/cb"}, ""},
		{storage.Web, []string{"https://app.example.com/cb", "http://localhost:3000/cb"}, ""},
		{storage.Web, []string{"http://localhost:3000/cb"}, own},
		{storage.Native, []string{"http://127.0.0.1/cb", "http://[::1]/cb", "com.example.app:/cb"}, own},
		{storage.Native, []string{"com.example.app:/cb", "https://app.example.com/cb"}, ""},
	} {
		client := changedClient(c.kind, withPairwise(c.uris...))
		client.Metadata.GrantTypes = []string{storage.GrantCode}
		got, err := directory.SectorOf(client)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%v: got %q, %v, want %q", c.uris, got, err, c.want)
		}
		problems := problemsOf(client)
		if refused := strings.HasPrefix(problems, "sector_identifier_uri: is missing"); refused != (c.want == "") {
			t.Errorf("%v: the problems are %q", c.uris, problems)
		}
	}
	television := changedClient(storage.Native, func(c *storage.Client) {
		withPairwise()(c)
		c.Metadata.GrantTypes, c.Metadata.ResponseTypes = []string{storage.GrantDevice}, nil
	})
	if got, err := directory.SectorOf(television); got != own || err != nil || problemsOf(television) != "" {
		t.Errorf("a device without redirect URIs: got %q, %v, %s", got, err, problemsOf(television))
	}
	public := changedClient(storage.Web, func(c *storage.Client) {
		c.Metadata.RedirectURIs = []string{"https://a.example/cb", "https://b.example/cb"}
	})
	if got, err := directory.SectorOf(public); got != "" || err != nil {
		t.Errorf("public subjects: got %q, %v", got, err)
	}
}

func TestCheckClient_FirstPartyAppIsNotPairwise(t *testing.T) {
	problems := problemsOf(changedClient(storage.Web, func(c *storage.Client) {
		withPairwise("https://app.example.com/cb")(c)
		c.FirstParty = true
	}))
	if !strings.HasPrefix(problems, "subject_type: ") || strings.Contains(problems, "\n") {
		t.Errorf("got %q", problems)
	}
}

// eachSector runs the test with a directory that can call a server with a sector document.
func eachSector(t *testing.T, test func(t *testing.T, h testDirectory, s *providertest.SectorServer)) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		db, s := b.Open(t), providertest.ServeSector(t)
		calls := s.Outbound()
		calls.Timeout, calls.MaxBody = 500*time.Millisecond, 64<<10
		test(t, testDirectory{directory.New(directory.Deps{
			DB: db, Algorithms: []string{"RS256"}, Outbound: outbound.New(calls), Now: func() time.Time { return noon },
		}), db}, s)
	})
}

// onDevice are redirect URIs that every program on a device can use.
var onDevice = []string{"http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost/cb", "com.example.app:/cb", "com.example.app://shop.example/cb"}

// A sector belongs to those who control its host. The device grant gives tokens without a redirect
// URI, so such a client shares its subjects with nobody, also if it has got the grant later.
func TestSectorOf_DeviceGrantHasASectorOfItsOwn(t *testing.T) {
	eachSector(t, func(t *testing.T, h testDirectory, s *providertest.SectorServer) {
		s.List(twoHosts...)
		grant := func(c *storage.Client) error {
			c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, storage.GrantDevice)
			return nil
		}
		made, _ := h.create(t, changedClient(storage.Web, withPairwise(twoHosts[:1]...)))
		revised, err := h.ReviseClient(t.Context(), made.ID, grant, storage.Origin{})
		if err != nil || made.Sector != "a.example" || revised.Sector != "client:app" || !directory.ChangesSubjects(made, revised) {
			t.Errorf("the device grant changes the sector %q to %q, %v", made.Sector, revised.Sector, err)
		}
		refused := func(what, id string, change func(*storage.Client) error) {
			t.Helper()
			_, err := h.ReviseClient(t.Context(), id, change, storage.Origin{})
			if broken, is := errors.AsType[*directory.ClientError](err); !is || broken.Problems[0].Field != "sector_identifier_uri" {
				t.Errorf("%s: got %v, want a problem of sector_identifier_uri", what, err)
			}
		}
		refused("a list for a client with the device grant", made.ID, func(c *storage.Client) error { c.Metadata.SectorURI = s.URI(); return nil })
		listed, _ := h.create(t, changedClient(storage.Web, func(c *storage.Client) {
			withPairwise(twoHosts...)(c)
			c.ID, c.Metadata.SectorURI = "listed", s.URI()
		}))
		refused("the device grant for a client with a list", listed.ID, grant)
		refused("a list for a client that is only on devices", listed.ID, func(c *storage.Client) error {
			c.Metadata.GrantTypes, c.Metadata.ResponseTypes, c.Metadata.RedirectURIs = []string{storage.GrantDevice}, nil, nil
			return nil
		})
	})
}

// An administrator knows whose apps are in a list, a registration does not: every program on a
// device can use their redirect URIs.
func TestRegister_ListGivesNoSectorToAppsOfStrangers(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		s := providertest.ServeSector(t, append([]string{twoHosts[0]}, onDevice...)...)
		h := directory.New(directory.Deps{
			DB: b.Open(t), Algorithms: []string{"RS256"}, Outbound: outbound.New(s.Outbound()), Now: func() time.Time { return noon },
			Registration: directory.RegistrationPolicy{Mode: directory.RegistrationOpen, Networks: providertest.Loopback()},
		})
		read := func(more, uris string) directory.ClientDocument {
			t.Helper()
			document, err := directory.ReadClientDocument([]byte(`{` + more + `"application_type":"native","token_endpoint_auth_method":"none","redirect_uris":[` + uris + `],"subject_type":"pairwise","sector_identifier_uri":"` + s.URI() + `"}`))
			if err != nil {
				t.Fatal(err)
			}
			return document
		}
		from := storage.Origin{Address: "192.0.2.1"}
		web, err := h.Register(t.Context(), read("", `"`+twoHosts[0]+`"`), "", from)
		if err != nil || web.Client.Sector != "127.0.0.1" {
			t.Fatalf("a redirect URI on a host: sector %q, %v", web.Client.Sector, err)
		}
		fetches := s.Fetches.Load()
		refused := func(what, field string, err error) {
			t.Helper()
			if broken, is := errors.AsType[*directory.ClientError](err); !is || broken.Problems[0].Field != field || s.Fetches.Load() != fetches {
				t.Errorf("%s: got %v and %d fetches, want a problem of %s", what, err, s.Fetches.Load()-fetches, field)
			}
		}
		for _, uri := range onDevice {
			for _, uris := range []string{`"` + uri + `"`, `"` + twoHosts[0] + `","` + uri + `"`} {
				_, err := h.Register(t.Context(), read("", uris), "", from)
				refused("register "+uris, "sector_identifier_uri", err)
				_, err = h.ReplaceRegistered(t.Context(), web.Client.ID, web.Token, read(`"client_id":"`+web.Client.ID+`",`, uris), from)
				refused("change to "+uris, "sector_identifier_uri", err)
			}
		}
		_, err = h.Register(t.Context(), read("", ""), "", from)
		refused("no redirect URI", "redirect_uris", err)
		_, err = h.ReviseClient(t.Context(), web.Client.ID, func(c *storage.Client) error {
			c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, storage.GrantDevice)
			return nil
		}, storage.Origin{})
		refused("the device grant of an administrator", "sector_identifier_uri", err)

		made, _, err := h.CreateClient(t.Context(), changedClient(storage.Native, func(c *storage.Client) {
			withPairwise(twoHosts[0], onDevice[0], onDevice[3])(c)
			c.Metadata.SectorURI, c.Metadata.GrantTypes = s.URI(), []string{storage.GrantCode}
		}), storage.Origin{})
		if err != nil || made.Sector != "127.0.0.1" {
			t.Errorf("the app of an administrator: sector %q, %v", made.Sector, err)
		}
	})
}

// DR-11: a registration chooses an address that the server calls. The calls are counted for the
// initial access token and for the network, also those of refused registrations, which use up no
// token.
func TestRegister_SectorDocumentsAreLimited(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		s, now := providertest.ServeSector(t, twoHosts...), noon
		h := directory.New(directory.Deps{
			DB: b.Open(t), Algorithms: []string{"RS256"}, Outbound: outbound.New(s.Outbound()), Now: func() time.Time { return now },
			Registration: directory.RegistrationPolicy{Mode: directory.RegistrationOpen, PerNetwork: 1000, Networks: providertest.Loopback()},
		})
		initial := func() string {
			t.Helper()
			_, token, err := h.CreateRegistrationToken(t.Context(), storage.RegistrationToken{Name: "test", UsesLeft: 2, ExpiresAt: storage.At(noon.Add(24 * time.Hour))}, storage.Origin{})
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		const document = `{"redirect_uris":["https://a.example/cb"],"subject_type":"pairwise","sector_identifier_uri":"%s"}`
		read := func(text string) directory.ClientDocument {
			t.Helper()
			document, err := directory.ReadClientDocument([]byte(fmt.Sprintf(text, s.URI())))
			if err != nil {
				t.Fatal(err)
			}
			return document
		}
		register := func(token, address string) error {
			_, err := h.Register(t.Context(), read(document), token, storage.Origin{Address: address})
			return err
		}
		throttled := func(what string, err error) {
			t.Helper()
			if problem, is := errors.AsType[*storage.ThrottledError](err); !is || problem.RetryAfter != time.Hour {
				t.Errorf("%s: got %v, want it throttled for an hour", what, err)
			}
		}
		token := initial()
		made, err := h.Register(t.Context(), read(document), token, storage.Origin{Address: "192.0.2.1"})
		if err != nil {
			t.Fatal(err)
		}
		s.List()
		for i := range 59 {
			if err := register(token, fmt.Sprintf("192.0.2.%d", i)); !errors.Is(err, directory.ErrInvalidClient) {
				t.Fatalf("registration %d: got %v", i, err)
			}
		}
		fetches := s.Fetches.Load()
		throttled("a token from another network", register(token, "198.51.100.1"))
		const changed = `{"client_id":"CLIENT","redirect_uris":["https://b.example/cb"],"subject_type":"pairwise","sector_identifier_uri":"%s"}`
		change := func(text string) error {
			_, err := h.ReplaceRegistered(t.Context(), made.Client.ID, made.Token, read(strings.Replace(text, "CLIENT", made.Client.ID, 1)), storage.Origin{Address: "198.51.100.1"})
			return err
		}
		throttled("a change of its client", change(changed))
		if err := change(strings.Replace(changed, "b.example", "a.example", 1)); err != nil {
			t.Errorf("a change without a call: %v", err)
		}
		if s.Fetches.Load() != fetches {
			t.Errorf("%d calls beyond the limit", s.Fetches.Load()-fetches)
		}
		now = noon.Add(time.Hour)
		s.List(twoHosts...)
		if err := register(token, "198.51.100.1"); err != nil {
			t.Errorf("an hour later: %v", err)
		}
	})
}

// The limit of a network holds whatever tokens its callers have.
func TestRegister_SectorDocumentsOfANetworkAreLimited(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		s := providertest.ServeSector(t)
		h := directory.New(directory.Deps{
			DB: b.Open(t), Algorithms: []string{"RS256"}, Outbound: outbound.New(s.Outbound()), Now: func() time.Time { return noon },
			Registration: directory.RegistrationPolicy{Mode: directory.RegistrationToken, Networks: providertest.Loopback()},
		})
		document, err := directory.ReadClientDocument([]byte(`{"redirect_uris":["https://a.example/cb"],"subject_type":"pairwise","sector_identifier_uri":"` + s.URI() + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		var tokens []string
		for range 3 {
			_, token, err := h.CreateRegistrationToken(t.Context(), storage.RegistrationToken{Name: "test", UsesLeft: 1, ExpiresAt: storage.At(noon.Add(time.Hour))}, storage.Origin{})
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, token)
		}
		register := func(i int, address string) error {
			_, err := h.Register(t.Context(), document, tokens[i%len(tokens)], storage.Origin{Address: address})
			return err
		}
		for i := range 60 {
			if err := register(i, "192.0.2.1"); !errors.Is(err, directory.ErrInvalidClient) {
				t.Fatalf("registration %d: got %v", i, err)
			}
		}
		if _, is := errors.AsType[*storage.ThrottledError](register(0, "192.0.2.1")); !is || s.Fetches.Load() != 60 {
			t.Errorf("%d calls for one network, want 60", s.Fetches.Load())
		}
		if err := register(0, "198.51.100.1"); !errors.Is(err, directory.ErrInvalidClient) {
			t.Errorf("another network: got %v", err)
		}
	})
}

var twoHosts = []string{"https://a.example/cb", "https://b.example/cb"}

// DR-10: the document of the sector must list every redirect URI. It is read when the client is
// created, and again when its URL or a redirect URI is new.
func TestReviseClient_SectorDocumentListsEveryRedirectURI(t *testing.T) {
	eachSector(t, func(t *testing.T, h testDirectory, s *providertest.SectorServer) {
		draft := changedClient(storage.Web, func(c *storage.Client) {
			withPairwise(twoHosts...)(c)
			c.Metadata.SectorURI = s.URI()
		})
		refused := func(what string, err error, uri string) {
			t.Helper()
			if !errors.Is(err, directory.ErrInvalidClient) || !strings.Contains(err.Error(), "does not list the redirect URI \""+uri+"\"") {
				t.Errorf("%s: got %v, want it refused because of %s", what, err, uri)
			}
		}
		s.List(twoHosts[0], "https://other.example/")
		_, _, err := h.CreateClient(t.Context(), draft, storage.Origin{})
		refused("create", err, twoHosts[1])
		s.List(twoHosts...)
		made, _ := h.create(t, draft)
		if made.Sector != "127.0.0.1" {
			t.Errorf("the sector is %q, want the host of the document", made.Sector)
		}
		revise := func(change func(*storage.Client)) (storage.Client, error) {
			return h.ReviseClient(t.Context(), made.ID, func(c *storage.Client) error { change(c); return nil }, storage.Origin{})
		}
		// The document may change later: nothing reads it as long as the client keeps its URIs.
		s.List()
		before := s.Fetches.Load()
		revised, err := revise(func(c *storage.Client) { c.Name, c.Metadata.RedirectURIs = "Renamed", twoHosts[:1] })
		if err != nil || revised.Sector != made.Sector || s.Fetches.Load() != before {
			t.Errorf("a change within the sector: sector %q, %d fetches, %v", revised.Sector, s.Fetches.Load()-before, err)
		}
		_, err = revise(func(c *storage.Client) {
			c.Metadata.RedirectURIs = append(c.Metadata.RedirectURIs, "https://c.example/cb")
		})
		refused("a new redirect URI", err, twoHosts[0])
		s.List(twoHosts[0], "https://c.example/cb")
		revised, err = revise(func(c *storage.Client) {
			c.Metadata.RedirectURIs = append(c.Metadata.RedirectURIs, "https://c.example/cb")
		})
		if err != nil || revised.Sector != made.Sector {
			t.Errorf("a listed redirect URI: sector %q, %v", revised.Sector, err)
		}
		revised, err = revise(func(c *storage.Client) { c.Metadata.SubjectType = "public" })
		if err != nil || revised.Sector != "" || !directory.ChangesSubjects(made, revised) {
			t.Errorf("public again: sector %q, %v", revised.Sector, err)
		}
	})
}

// A later change of the redirect URIs within one host keeps the subjects; another host changes them.
func TestReviseClient_SectorFollowsTheHost(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		made, _ := h.create(t, changedClient(storage.Web, withPairwise("https://app.example.com/cb")))
		for uri, changes := range map[string]bool{"https://app.example.com/new": false, "https://app.example.org/cb": true} {
			revised, err := h.ReviseClient(t.Context(), made.ID, func(c *storage.Client) error { c.Metadata.RedirectURIs = []string{uri}; return nil }, storage.Origin{})
			if err != nil || directory.ChangesSubjects(made, revised) != changes {
				t.Errorf("%s: the sector is %q after %q, %v", uri, revised.Sector, made.Sector, err)
			}
			made = revised
			if uri == "https://app.example.org/cb" {
				made.Sector = "app.example.com"
			}
		}
	})
}

// DR-02: whatever the address of the document answers, a client is only stored after a JSON list
// came from it.
func TestCreateClient_BadSectorDocumentIsRefused(t *testing.T) {
	eachSector(t, func(t *testing.T, h testDirectory, s *providertest.SectorServer) {
		elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`["https://a.example/cb"]`)) }))
		t.Cleanup(elsewhere.Close)
		text := func(body string) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
		}
		for name, answer := range map[string]http.HandlerFunc{
			"not JSON":       text("https://a.example/cb"),
			"an object":      text(`{"redirect_uris":["https://a.example/cb"]}`),
			"a string":       text(`"https://a.example/cb"`),
			"numbers":        text(`["https://a.example/cb",1]`),
			"an empty entry": text(`["https://a.example/cb",""]`),
			"two values":     text(`["https://a.example/cb"]["https://a.example/cb"]`),
			"cut off":        text(`["https://a.example/cb"`),
			"nothing":        text(``),
			"not listed":     text(`["https://a.example/cb/"]`),
			"huge":           text(`["https://a.example/cb","` + strings.Repeat("a", 70_000) + `"]`),
			"slow":           func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			"missing":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
			"failing":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
			"a redirect": func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL, http.StatusFound)
			},
		} {
			s.Answer(answer)
			_, _, err := h.CreateClient(t.Context(), changedClient(storage.Web, func(c *storage.Client) {
				withPairwise("https://a.example/cb")(c)
				c.Metadata.SectorURI = s.URI()
			}), storage.Origin{})
			if broken, is := errors.AsType[*directory.ClientError](err); !is || broken.Problems[0].Field != "sector_identifier_uri" {
				t.Errorf("%s: got %v, want a problem of sector_identifier_uri", name, err)
			}
		}
		if list, err := h.db.Clients(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("stored %v, %v", list, err)
		}
	})
}

// DR-02: an administrator may name a private host. For a client that registers itself, the address
// is checked when it is called, whatever its name is.
func TestRegister_SectorDocumentIsCalledAsForStrangers(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		s := providertest.ServeSector(t, twoHosts...)
		calls := s.Outbound()
		calls.Allowed = nil
		h := directory.New(directory.Deps{
			DB: b.Open(t), Algorithms: []string{"RS256"}, Outbound: outbound.New(calls), Now: func() time.Time { return noon },
			Registration: directory.RegistrationPolicy{Mode: directory.RegistrationOpen, Networks: providertest.Loopback()},
		})
		document, err := directory.ReadClientDocument([]byte(`{"redirect_uris":["` + twoHosts[0] + `"],"subject_type":"pairwise","sector_identifier_uri":"` + s.URI() + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Register(t.Context(), document, "", storage.Origin{Address: "192.0.2.1"}); err == nil || !strings.Contains(err.Error(), outbound.ErrNotPublic.Error()) || s.Fetches.Load() != 0 {
			t.Errorf("a stranger: got %v and %d fetches", err, s.Fetches.Load())
		}
		_, _, err = h.CreateClient(t.Context(), changedClient(storage.Web, func(c *storage.Client) {
			withPairwise(twoHosts...)(c)
			c.Metadata.SectorURI = s.URI()
		}), storage.Origin{})
		if err != nil || s.Fetches.Load() != 1 {
			t.Errorf("an administrator: got %v and %d fetches", err, s.Fetches.Load())
		}
	})
}

// A client id is never the subject of a user, and the other way round: in a token, both are the sub.
func TestSubjects_OfUsersAndClientsDiffer(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		h.create(t, changedClient(storage.Web, nil))
		user := func(subject, email string) error {
			_, err := h.CreateUser(t.Context(), storage.User{Email: email, ChosenSubject: subject}, "", storage.Origin{})
			return err
		}
		if err := user("app", "ada@example.com"); !errors.Is(err, storage.ErrSubjectTaken) {
			t.Errorf("a user with the id of a client: got %v", err)
		}
		if err := user("robot", "ada@example.com"); err != nil {
			t.Fatal(err)
		}
		if err := user("robot", "bob@example.com"); !errors.Is(err, storage.ErrSubjectTaken) {
			t.Errorf("a second user with the subject: got %v", err)
		}
		_, _, err := h.CreateClient(t.Context(), changedClient(storage.Web, func(c *storage.Client) { c.ID = "robot" }), storage.Origin{})
		if !errors.Is(err, storage.ErrSubjectTaken) {
			t.Errorf("a client with the subject of a user: got %v", err)
		}
		for _, wrong := range []string{"usr_123", "with space", "bücher", "tab\t", strings.Repeat("a", 256)} {
			if problem, is := errors.AsType[*directory.FieldError](user(wrong, "eve@example.com")); !is || problem.Field != "subject" {
				t.Errorf("%q: got %v, want it refused", wrong, problem)
			}
		}
		for i, right := range []string{"1", "auth0|5f7c", "ada@former.example", "-", strings.Repeat("a", 255)} {
			if err := user(right, strings.Repeat("x", i+1)+"@example.com"); err != nil {
				t.Errorf("%q: %v", right, err)
			}
		}
	})
}
