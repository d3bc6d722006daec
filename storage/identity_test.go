package storage_test

import (
	"fmt"
	"testing"
	"time"

	"signet/storage"
)

// signInWithProfile signs in through an upstream that says this of the person.
func (w *world) signInWithProfile(t *testing.T, userID, subject string, says storage.Profile, at time.Time) storage.Session {
	t.Helper()
	w.attempts++
	session, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
		Identity:  storage.Identity{Connector: "google", Issuer: "https://accounts.google.com", Subject: subject, UserID: userID},
		AttemptID: fmt.Sprint("attempt ", w.attempts), Until: storage.At(at.Add(time.Hour)), Profile: says,
		SignIn: storage.SignIn{
			HandleHash: fmt.Sprint("arrival ", w.attempts), ACR: "1", AMR: []string{"fed"}, IdleFor: time.Hour, AbsoluteFor: time.Hour,
		},
	}, at)
	if err != nil {
		t.Fatalf("sign in as %s: %v", subject, err)
	}
	return session
}

func (w *world) wantProfile(t *testing.T, when string, want storage.Profile) storage.User {
	t.Helper()
	u, err := w.User(t.Context(), w.user.ID)
	if err != nil {
		t.Fatal(err)
	}
	got := storage.Profile{Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName, Picture: u.Picture, Locale: u.Locale}
	if got != want {
		t.Fatalf("%s: got %+v, want %+v", when, got, want)
	}
	return u
}

func TestSignInThrough_ProfileFollowsTheUpstreamUntilItIsEdited(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := noon
		first := storage.Profile{Name: "Ada Byron", GivenName: "Ada", FamilyName: "Byron", Picture: "https://up.example/1.png"}
		w.signInWithProfile(t, w.user.ID, "1", first, at)
		filled := w.wantProfile(t, "the first sign-in fills", first)
		if filled.UpdatedAt < w.user.UpdatedAt || filled.UpdatedAt == w.user.UpdatedAt {
			t.Errorf("updated_at stayed %d", filled.UpdatedAt)
		}

		same := w.wantProfile(t, "read again", first)
		w.signInWithProfile(t, w.user.ID, "1", first, at.Add(time.Minute))
		if again := w.wantProfile(t, "the same again", first); again.UpdatedAt != same.UpdatedAt {
			t.Errorf("updated_at moved although nothing did")
		}

		// She edits the name and takes the picture away; the family name is left alone.
		edit := storage.Profile{Name: "Countess", GivenName: "Ada", FamilyName: "Byron"}
		if err := w.UpdateProfile(t.Context(), w.user.ID, edit, storage.By{At: at.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		second := storage.Profile{Name: "Ada Lovelace", GivenName: "Ada", FamilyName: "Lovelace", Picture: "https://up.example/2.png", Locale: "en"}
		w.signInWithProfile(t, w.user.ID, "1", second, at.Add(2*time.Hour))
		w.wantProfile(t, "what she edited stays", storage.Profile{Name: "Countess", GivenName: "Ada", FamilyName: "Lovelace", Locale: "en"})

		// An upstream that leaves something out takes nothing away, and is remembered.
		w.signInWithProfile(t, w.user.ID, "1", storage.Profile{}, at.Add(3*time.Hour))
		w.signInWithProfile(t, w.user.ID, "1", storage.Profile{FamilyName: "King"}, at.Add(4*time.Hour))
		w.wantProfile(t, "what is left out stays", storage.Profile{Name: "Countess", GivenName: "Ada", FamilyName: "King", Locale: "en"})

		// Another upstream fills only what is empty.
		w.signInWithProfile(t, w.user.ID, "2", storage.Profile{Name: "ada", FamilyName: "L", Picture: "https://other.example/a.png"}, at.Add(5*time.Hour))
		w.wantProfile(t, "a second upstream", storage.Profile{
			Name: "Countess", GivenName: "Ada", FamilyName: "King", Locale: "en", Picture: "https://other.example/a.png",
		})
	})
}

func (w *world) signedIn(t *testing.T, userID, sessionID string) bool {
	t.Helper()
	list, err := w.SessionsOf(t.Context(), userID, noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.ID == sessionID {
			return true
		}
	}
	return false
}
