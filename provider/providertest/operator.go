package provider_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/storage"
)

// What an operator does while a sign-in is under way.

func (b *testbed) disableUser(t *testing.T, off bool) {
	t.Helper()
	if err := b.DB.SetUserEnabled(context.Background(), b.Alice.ID, !off, storage.By{At: b.now()}); err != nil {
		t.Fatal(err)
	}
}

func (b *testbed) disableClient(t *testing.T, off bool) {
	t.Helper()
	if err := b.DB.SetClientEnabled(context.Background(), b.Client.ID, !off, storage.By{At: b.now()}); err != nil {
		t.Fatal(err)
	}
	b.follow(t)
}

// changeClient changes the client as it was registered; not what an earlier call changed.
func (b *testbed) changeClient(t *testing.T, change func(*storage.Client)) {
	t.Helper()
	client := b.Client
	change(&client)
	if err := b.DB.UpdateClient(context.Background(), client, storage.By{At: b.now()}); err != nil {
		t.Fatal(err)
	}
	b.follow(t)
}

// nextURL gives a good request's own link to the dispatcher, as a POST to
// /authorize is answered with it.
func (b *testbed) nextURL(t *testing.T, v *visitor, pairs ...string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.Issuer+"/authorize", strings.NewReader(b.params(pairs...).Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := do(t, v.client, r)
	location, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.StatusCode != http.StatusSeeOther || !location.Query().Has("request") {
		t.Fatalf("POST /authorize: got %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	return r.URL.ResolveReference(location).String()
}

// wantNoGrant wants that no code was redeemed in this database, nor burnt with a
// grant: no token of a person can live.
func (b *testbed) wantNoGrant(t *testing.T) {
	t.Helper()
	if grants := b.table(t, "grants"); len(grants) != 0 {
		t.Fatalf("%d grants were opened: %v", len(grants), grants)
	}
}
