package storage_test

import (
	"fmt"
	"testing"
	"time"

	"signet/storage"
)

// signInWithProfile signs in through an upstream that asserts this profile.
func (w *world) signInWithProfile(t *testing.T, userID, subject string, asserted storage.Profile, at time.Time) storage.Session {
	t.Helper()
	w.attempts++
	session, err := w.SignInThrough(t.Context(), storage.ConnectorSignIn{
		Identity:  storage.Identity{Connector: "google", Issuer: "https://accounts.google.com", Subject: subject, UserID: userID},
		AttemptID: fmt.Sprint("attempt ", w.attempts), Until: storage.At(at.Add(time.Hour)), Profile: asserted,
		SignIn: storage.SignIn{
			HandleHash: fmt.Sprint("profile ", w.attempts), ACR: "1", AMR: []string{"fed"}, IdleFor: time.Hour, AbsoluteFor: time.Hour,
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
			t.Errorf("updated_at changed although the profile did not")
		}

		// The user edits the name and removes the picture. The family name is not edited.
		edit := storage.Profile{Name: "Countess", GivenName: "Ada", FamilyName: "Byron"}
		if err := w.UpdateProfile(t.Context(), w.user.ID, edit, storage.By{At: at.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		second := storage.Profile{Name: "Ada Lovelace", GivenName: "Ada", FamilyName: "Lovelace", Picture: "https://up.example/2.png", Locale: "en"}
		w.signInWithProfile(t, w.user.ID, "1", second, at.Add(2*time.Hour))
		w.wantProfile(t, "edited fields stay", storage.Profile{Name: "Countess", GivenName: "Ada", FamilyName: "Lovelace", Locale: "en"})

		// A field that the upstream leaves out stays, and follows the upstream again later.
		w.signInWithProfile(t, w.user.ID, "1", storage.Profile{}, at.Add(3*time.Hour))
		w.signInWithProfile(t, w.user.ID, "1", storage.Profile{FamilyName: "King"}, at.Add(4*time.Hour))
		w.wantProfile(t, "missing fields stay", storage.Profile{Name: "Countess", GivenName: "Ada", FamilyName: "King", Locale: "en"})

		// A second upstream fills only empty fields.
		w.signInWithProfile(t, w.user.ID, "2", storage.Profile{Name: "ada", FamilyName: "L", Picture: "https://other.example/a.png"}, at.Add(5*time.Hour))
		w.wantProfile(t, "a second upstream", storage.Profile{
			Name: "Countess", GivenName: "Ada", FamilyName: "King", Locale: "en", Picture: "https://other.example/a.png",
		})
	})
}

// signedIn reports whether a session of the user is valid at noon.
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
