package parties_test

import (
	"encoding/json"
	"testing"

	"signet/cmd/signet/signettest"
	"signet/storage"
)

// strictReport holds the answers to the requests of a story of strictparty.mjs or NimbusParty.java.
type strictReport struct {
	Visit  string // URL that the browser must open; the story goes on after it
	Failed string // error that ended the story

	Life           int // of the pushed request or of the device code, in seconds
	Interval       int // between two polls of the device, in seconds
	Subject, Email string
	SignedSubject  string // after a signed request
	Signed         string // media type of the answer of /userinfo
	Active, Dead   bool   // the access token, before and after the revocation of its grant
	Refreshable    bool
	Spent          bool // the reference of the pushed request still leads to the client

	Again, OtherKey, OtherObject, NotPushed, Revoked string // errors of requests that must fail

	Read, Changed string // name of the registered client, before and after it changed itself
	Deleted       int    // status of the answer
	Gone          string // error of a client that reads its registration after the deletion
}

// TestClients_OAuth4WebAPI runs two clients on oauth4webapi. One registers itself with an initial
// access token and a key (RFC 7591), pushes its requests (RFC 9126) and signs them (RFC 9101), signs an
// assertion for every call (RFC 7523) and reads a signed answer of /userinfo. The other is a device
// (RFC 8628).
func TestClients_OAuth4WebAPI(t *testing.T) {
	i := signettest.NewInstance(t)
	i.Env = append(i.Env, "SIGNET_REGISTRATION_MODE=token")
	var initial struct {
		Token string `json:"token"`
	}
	i.Command(t, "", &initial, "registration", "token", "create", "--name", "A test", "--json")
	tv := i.CreateClient(t, "--type", "native", "--response-type", "", "--grant-type", storage.GrantDevice, "--grant-type", storage.GrantRefresh)
	node := signettest.StartNode(t, "strictparty.mjs", i.Issuer)
	i.Serve(t)

	t.Run("registered", func(t *testing.T) {
		job := map[string]any{"story": "registered", "token": initial.Token, "redirect_uri": "https://shop.example.com/callback"}
		saw := tellStrictStory(t, node, job, signInAndAllow(i))
		saw.Subject = wantSubject(t, i, saw.Subject)
		if want := (strictReport{
			Life: 90, Subject: saw.Subject, Email: i.Email, SignedSubject: saw.Subject, Signed: "application/jwt", Active: true,
			Again: "invalid_client", OtherKey: "invalid_client", OtherObject: "invalid_request_object", NotPushed: "invalid_request", Revoked: "invalid_grant",
		}); saw != want {
			t.Errorf("the client saw %+v, want %+v", saw, want)
		}
	})
	t.Run("device", func(t *testing.T) {
		saw := tellStrictStory(t, node, map[string]any{"story": "device", "client_id": tv.ID}, letDeviceIn(i))
		saw.Subject = wantSubject(t, i, saw.Subject)
		if want := (strictReport{Life: 600, Interval: 5, Subject: saw.Subject, Refreshable: true, Again: "invalid_grant"}); saw != want {
			t.Errorf("the device saw %+v, want %+v", saw, want)
		}
	})
}

// signInAndAllow returns the acts of a person at a sign-in.
func signInAndAllow(i *signettest.Instance) func(*signettest.FormBrowser) {
	return func(b *signettest.FormBrowser) {
		if signettest.FindByID(b.Page, "login") != nil {
			b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
		}
		if b.Left == nil && signettest.FindByID(b.Page, "consent") != nil {
			b.Send("consent", "allow", nil)
		}
	}
}

// letDeviceIn returns the acts of a person who has opened the link that a device shows.
func letDeviceIn(i *signettest.Instance) func(*signettest.FormBrowser) {
	return func(b *signettest.FormBrowser) {
		b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
		b.Send("device", "", nil)
		b.Click("allow")
	}
}

// wantSubject checks that a subject is the user of the installation, and returns it.
func wantSubject(t *testing.T, i *signettest.Instance, got string) string {
	t.Helper()
	var user struct {
		Sub string `json:"sub"`
	}
	i.Command(t, "", &user, "user", "show", i.Email, "--json")
	if got != user.Sub {
		t.Errorf("the subject is %q, want %q", got, user.Sub)
	}
	return got
}

// tellStrictStory runs a story. For each URL that it wants visited, act does what a person does on
// the pages of Signet.
func tellStrictStory(t *testing.T, program *signettest.LineProcess, job map[string]any, act func(*signettest.FormBrowser)) strictReport {
	t.Helper()
	line, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	b := signettest.NewFormBrowser(t)
	for {
		said := program.Check(string(line))
		var saw strictReport
		if err := json.Unmarshal([]byte(said), &saw); err != nil || saw.Failed != "" {
			t.Fatalf("the story ended with %s (%v)", said, err)
		}
		if saw.Visit == "" {
			return saw
		}
		b.Left = nil
		b.Open(saw.Visit)
		if b.Left == nil {
			act(b)
		}
		line = []byte(b.At.String())
		if b.Left != nil {
			line = []byte(b.Left.String())
		}
	}
}
