package storage_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"signet/storage"
)

func (w *world) connected(t testing.TB, userID string, at time.Time) []storage.ConnectedClient {
	t.Helper()
	list, err := w.ConnectedClientsOf(t.Context(), userID, at)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestConnectedClientsOf_ListsConsentsAndLiveGrants(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if list := w.connected(t, w.user.ID, noon); len(list) != 0 {
			t.Fatalf("applications of a new user: %+v, want none", list)
		}
		consented, used := w.createClient(t, "consented"), w.createClient(t, "used")
		c := w.consentAnswer(true, "openid", "email")
		c.Consent.ClientID, c.Consent.GrantedAt = consented.ID, storage.At(noon)
		if err := w.AllowConsent(t.Context(), c, noon); err != nil {
			t.Fatal(err)
		}
		later := noon.Add(time.Hour)
		r := w.redemption("used", "code", later)
		r.Grant.ClientID, r.Grant.Offline = used.ID, true
		w.redeem(t, r, later)
		want := []storage.ConnectedClient{
			{ClientID: used.ID, UsedAt: storage.At(later), Offline: true},
			{ClientID: consented.ID, Scopes: []string{"openid", "email"}, GrantedAt: storage.At(noon)},
		}
		if got := w.connected(t, w.user.ID, later); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "asked", storage.By{At: later}); err != nil {
			t.Fatal(err)
		}
		if got := w.connected(t, w.user.ID, later); len(got) != 2 {
			t.Errorf("after sign-out: %+v, want 2: an offline grant and a consent", got)
		}
		year := noon.Add(366 * 24 * time.Hour)
		if got := w.connected(t, w.user.ID, year); len(got) != 0 {
			t.Errorf("after a year: %+v, want none", got)
		}
		if got := w.connected(t, w.createUser(t, "bob@example.com").ID, later); len(got) != 0 {
			t.Errorf("applications of bob: %+v, want none", got)
		}
	})
}

// The list keeps the clients whose grants were revoked, and stays after the session has ended:
// their applications may still show the person as signed in.
func TestClientsOfSession_ListsClientsOfEndedSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		revoked, elsewhere := w.createClient(t, "revoked"), w.createClient(t, "elsewhere")
		w.redeem(t, w.redemption("first", "first", noon), noon)
		w.redeem(t, w.redemption("again", "again", noon), noon)
		r := w.redemption("revoked", "revoked", noon)
		r.Grant.ClientID = revoked.ID
		grant := w.redeem(t, r, noon)
		if err := w.RevokeGrant(t.Context(), grant.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		other := w.signIn(t, w.user.ID, "other", "", noon)
		r = w.redemption("elsewhere", "elsewhere", noon)
		r.Grant.ClientID, r.Grant.SessionID = elsewhere.ID, other.ID
		w.redeem(t, r, noon)
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		want := []string{revoked.ID, w.client.ID}
		if got, err := w.ClientsOfSession(t.Context(), w.user.ID, w.session.ID); err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
		for _, ids := range [][2]string{{w.createUser(t, "bob@example.com").ID, w.session.ID}, {w.user.ID, "nothing"}} {
			if got, err := w.ClientsOfSession(t.Context(), ids[0], ids[1]); err != nil || len(got) != 0 {
				t.Errorf("%v: got %v, %v, want none", ids, got, err)
			}
		}
		for _, ids := range [][2]string{{"", w.session.ID}, {w.user.ID, ""}} {
			_, err := w.ClientsOfSession(t.Context(), ids[0], ids[1])
			wantError(t, "an empty id", err, storage.ErrNotFound)
		}
	})
}

func TestClientsBySession_ListsClientsOfEachSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		second := w.createClient(t, "second")
		w.redeem(t, w.redemption("one", "code", noon), noon)
		w.redeem(t, w.redemption("one again", "code", noon), noon)
		r := w.redemption("two", "code", noon)
		r.Grant.ClientID = second.ID
		w.redeem(t, r, noon)
		other := w.signIn(t, w.user.ID, "other", "", noon)
		r = w.redemption("three", "code", noon)
		r.Grant.SessionID = other.ID
		w.redeem(t, r, noon)
		want := map[string][]string{w.session.ID: {"second", "web"}, other.ID: {"web"}}
		got, err := w.ClientsBySession(t.Context(), w.user.ID, noon)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
		if err := w.WithdrawConsent(t.Context(), w.user.ID, "web", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		want = map[string][]string{w.session.ID: {"second"}}
		if got, err = w.ClientsBySession(t.Context(), w.user.ID, noon); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("after withdrawing: got %v, %v, want %v", got, err, want)
		}
		_, err = w.ClientsBySession(t.Context(), "", noon)
		wantError(t, "no user", err, storage.ErrNotFound)
	})
}

func TestWithdrawConsent_EndsOneClientOfOneUser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		second, bob := w.createClient(t, "second"), w.createUser(t, "bob@example.com")
		bobs := w.signIn(t, bob.ID, "handle of bob", "", noon)
		r := w.redemption("bob's", "code", noon)
		r.Grant.UserID, r.Grant.SessionID = bob.ID, bobs.ID
		otherUser := w.redeem(t, r, noon)
		r = w.redemption("second", "code", noon)
		r.Grant.ClientID = second.ID
		otherClient := w.redeem(t, r, noon)
		online, offline := w.redeem(t, w.redemption("online", "code", noon), noon), w.offlineGrant(t, "offline", noon)
		if err := w.WithdrawConsent(t.Context(), w.user.ID, w.client.ID, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		w.wantDead(t, online.ID, noon)
		w.wantDead(t, offline.ID, noon)
		w.wantAlive(t, otherUser.ID, noon)
		w.wantAlive(t, otherClient.ID, noon)
		if got := w.events(t)[0]; got != storage.ConsentWithdrawn {
			t.Errorf("event %s, want %s", got, storage.ConsentWithdrawn)
		}
		wantError(t, "again", w.WithdrawConsent(t.Context(), w.user.ID, w.client.ID, storage.By{At: noon}), storage.ErrNotFound)
	})
}
