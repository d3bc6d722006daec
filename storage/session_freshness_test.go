package storage_test

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
	"signet/storage/storagetest"
)

// proofs returns sessions with each kind of proof: its time, its method and its request.
// "silent" is a sign-in through an upstream that states no time of authentication.
func proofs() map[string]storage.Session {
	ago := func(d time.Duration) storage.Millis { return storage.At(noon.Add(-d)) }
	fact := func(kind storage.FactKind, request string, at, proved storage.Millis) []storage.Fact {
		return []storage.Fact{{Kind: kind, Request: request, At: at, Proved: proved}}
	}
	return map[string]storage.Session{
		"password for this, an hour ago":  {AuthTime: ago(time.Hour), ArrivedAt: ago(time.Hour), Facts: fact(storage.FactAuthenticated, "this", ago(time.Hour), 0)},
		"password for another, now":       {AuthTime: ago(0), ArrivedAt: ago(0), Facts: fact(storage.FactAuthenticated, "other", ago(0), 0)},
		"password for another, a day ago": {AuthTime: ago(24 * time.Hour), ArrivedAt: ago(24 * time.Hour), Facts: fact(storage.FactAuthenticated, "other", ago(24*time.Hour), 0)},
		"password for nothing, now":       {AuthTime: ago(0), ArrivedAt: ago(0), Facts: fact(storage.FactAuthenticated, "", ago(0), 0)},
		"silent for this, now":            {ArrivedAt: ago(0), Facts: fact(storage.FactArrived, "this", ago(0), 0)},
		"silent for another, now":         {ArrivedAt: ago(0), Facts: fact(storage.FactArrived, "other", ago(0), 0)},
		"silent for this, a day ago":      {ArrivedAt: ago(24 * time.Hour), Facts: fact(storage.FactArrived, "this", ago(24*time.Hour), 0)},
		"silent, on an old password":      {AuthTime: ago(24 * time.Hour), ArrivedAt: ago(0), Facts: fact(storage.FactArrived, "this", ago(0), 0)},
		"stated 4 min, for this, slow":    {AuthTime: ago(34 * time.Minute), ArrivedAt: ago(30 * time.Minute), Facts: fact(storage.FactArrived, "this", ago(30*time.Minute), ago(34*time.Minute))},
		"stated 4 min, for another":       {AuthTime: ago(34 * time.Minute), ArrivedAt: ago(30 * time.Minute), Facts: fact(storage.FactArrived, "other", ago(30*time.Minute), ago(34*time.Minute))},
		"a fact without a time":           {ArrivedAt: ago(0), Facts: fact(storage.FactAuthenticated, "this", ago(0), 0)},
		"nothing":                         {},
	}
}

// TestSession_MeetsFreshness compares each kind of proof with each request for freshness. A
// row lists the requests that are met strictly, and those that are met only with best
// effort.
func TestSession_MeetsFreshness(t *testing.T) {
	age := func(d time.Duration) *time.Duration { return &d }
	requests := map[string]storage.Freshness{
		"none": {}, "again": {Reauthenticate: true}, "known": {AuthTimeKnown: true},
		"0": {MaxAge: age(0)}, "5m": {MaxAge: age(5 * time.Minute)}, "2h": {MaxAge: age(2 * time.Hour)},
		"again 5m": {Reauthenticate: true, MaxAge: age(5 * time.Minute)}, "5m known": {AuthTimeKnown: true, MaxAge: age(5 * time.Minute)},
	}
	all := "none again known 0 5m 2h again-5m 5m-known"
	want := map[string][2]string{ // met strictly; met only with best effort
		"password for this, an hour ago":  {all, ""},
		"password for another, now":       {"none known 5m 2h 5m-known", ""},
		"password for another, a day ago": {"none known", ""},
		"password for nothing, now":       {"none known 5m 2h 5m-known", ""},
		"silent for this, now":            {"none", "again known 0 5m 2h again-5m 5m-known"},
		"silent for another, now":         {"none", "known 5m 2h 5m-known"},
		"silent for this, a day ago":      {"none", "again known 0 5m 2h again-5m 5m-known"},
		"silent, on an old password":      {"none known", "again 0 5m 2h again-5m 5m-known"},
		"stated 4 min, for this, slow":    {"none known 5m 2h 5m-known", "again 0 again-5m"},
		"stated 4 min, for another":       {"none known 2h", ""},
		"a fact without a time":           {"none", "again known 0 5m 2h again-5m 5m-known"},
		"nothing":                         {"none", ""},
	}
	for proof, s := range proofs() {
		for request, f := range requests {
			f.Request = "this"
			row, found := want[proof]
			if !found {
				t.Fatalf("no row for %q", proof)
			}
			strict := contains(row[0], request)
			best := strict || contains(row[1], request)
			if got := s.Meets(f, noon); got != strict {
				t.Errorf("%s, request %s: met %v, want %v", proof, request, got, strict)
			}
			f.BestEffort = true
			if got := s.Meets(f, noon); got != best {
				t.Errorf("%s, request %s with best effort: met %v, want %v", proof, request, got, best)
			}
			stated := s.AuthTime
			if !strict {
				stated = s.ArrivedAt
			}
			if got := s.StatedAuthTime(f, noon); got != stated {
				t.Errorf("%s, request %s with best effort: states %d, want %d", proof, request, got, stated)
			}
			f.BestEffort = false
			if got := s.StatedAuthTime(f, noon); got != s.AuthTime {
				t.Errorf("%s, request %s: states %d, want the proven time %d", proof, request, got, s.AuthTime)
			}
		}
	}
}

// contains reports whether a row lists a request. A space in the name of a request is a
// hyphen in the row.
func contains(row, request string) bool {
	return slices.Contains(strings.Fields(row), strings.ReplaceAll(request, " ", "-"))
}

// TestSignIn_AuthTimeIsNeverNewerThanProven continues a session with several sign-ins. The
// session keeps its newest proof, and a sign-in through an upstream gives it no later
// auth_time than the upstream has proven.
func TestSignIn_AuthTimeIsNeverNewerThanProven(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		later := noon.Add(time.Hour)
		millis := func(d time.Duration) storage.Millis { return storage.At(later.Add(d)) }
		handle := "handle of alice" // signed in at noon with a password
		for i, c := range []struct {
			name     string
			asserted *storage.AssertedFreshness
			authTime storage.Millis
			amr      string
			fact     storage.FactKind
			proved   storage.Millis
		}{
			{"silent", &storage.AssertedFreshness{Connector: "c"}, storage.At(noon), "pwd", storage.FactArrived, 0},
			{"older", &storage.AssertedFreshness{Connector: "c", AuthTime: millis(-2 * time.Hour)}, storage.At(noon), "pwd", storage.FactArrived, millis(-2 * time.Hour)},
			{"before the epoch", &storage.AssertedFreshness{Connector: "c", AuthTime: -5, Reauthenticated: true}, storage.At(noon), "pwd", storage.FactArrived, 0},
			{"reauthenticated without a time", &storage.AssertedFreshness{Connector: "c", Reauthenticated: true}, storage.At(noon), "pwd", storage.FactArrived, 0},
			{"newer", &storage.AssertedFreshness{Connector: "c", AuthTime: millis(-time.Minute)}, millis(-time.Minute), "fed", storage.FactArrived, millis(-time.Minute)},
			{"in the future", &storage.AssertedFreshness{Connector: "c", AuthTime: millis(time.Minute), Reauthenticated: true}, millis(0), "fed", storage.FactAuthenticated, 0},
			{"silent again", &storage.AssertedFreshness{Connector: "d"}, millis(0), "fed", storage.FactArrived, 0},
			{"password", nil, millis(0), "pwd", storage.FactAuthenticated, 0},
		} {
			in := w.signInOf(w.user.ID, c.name, handle)
			in.Asserted, in.Request = c.asserted, c.name
			if in.AMR = []string{"fed"}; c.asserted == nil {
				in.AMR = []string{"pwd"}
			}
			s, err := w.SignIn(t.Context(), in, later)
			if err != nil || s.ID != w.session.ID {
				t.Fatalf("%d %s: session %s, %v; want %s", i, c.name, s.ID, err, w.session.ID)
			}
			handle = in.HandleHash
			if s.AuthTime != c.authTime || s.AMR[0] != c.amr || s.ArrivedAt != storage.At(later) {
				t.Errorf("%s: auth_time %d by %v, arrived at %d; want %d by %s, %d", c.name, s.AuthTime, s.AMR, s.ArrivedAt, c.authTime, c.amr, storage.At(later))
			}
			if f := s.Facts[len(s.Facts)-1]; f.Kind != c.fact || f.Request != c.name || f.Proved != c.proved {
				t.Errorf("%s: the fact is %+v, want %s proved %d", c.name, f, c.fact, c.proved)
			}
			read, _, err := w.SessionByHandle(t.Context(), handle, later)
			if err != nil || !reflect.DeepEqual(read, s) {
				t.Errorf("%s: read %+v, %v\nwant %+v", c.name, read, err, s)
			}
		}
		// A session of another user inherits nothing.
		bob := w.createUser(t, "bob@example.com")
		in := w.signInOf(bob.ID, "handle of bob", handle)
		in.Asserted = &storage.AssertedFreshness{Connector: "c"}
		if s, err := w.SignIn(t.Context(), in, later); err != nil || s.AuthTime != 0 {
			t.Errorf("silent sign-in of bob: auth_time %d, %v; want 0", s.AuthTime, err)
		}
	})
}

func TestSignInMethodsOf_ListsPasswordAndConnectors(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bare := w.createUser(t, "bare@example.com")
		if methods, err := w.SignInMethodsOf(t.Context(), bare.ID); err != nil || len(methods.Connectors) > 0 {
			t.Errorf("a user without identities: %+v, %v", methods, err)
		}
		for _, subject := range []string{"1", "2"} {
			err := w.LinkIdentity(t.Context(), storage.IdentityLink{
				Identity: storage.Identity{Connector: "github", Issuer: "https://github.com", Subject: subject, UserID: w.user.ID},
				ProofID:  "proof " + subject, Until: storage.At(noon.Add(time.Hour)), SessionID: w.session.ID,
			}, noon)
			if err != nil {
				t.Fatal(err)
			}
		}
		if methods, err := w.SignInMethodsOf(t.Context(), w.user.ID); err != nil || !slices.Equal(methods.Connectors, []string{"github"}) || !methods.Password {
			t.Errorf("a user with a password and two accounts at GitHub: %+v, %v", methods, err)
		}
		if methods, err := w.SignInMethodsOf(t.Context(), "usr_nobody"); err != nil || methods.Password || methods.Connectors != nil {
			t.Errorf("an unknown user: %+v, %v", methods, err)
		}
	})
}

// TestMigration0007_UpstreamSessionsHaveUnknownAuthTime migrates a session through an
// upstream from the time when rows did not separate proof and arrival. The session stays
// valid, and its auth_time is unknown.
func TestMigration0007_UpstreamSessionsHaveUnknownAuthTime(t *testing.T) {
	text, err := os.ReadFile("migrations/0007_proof_and_arrival.sql")
	if err != nil {
		t.Fatal(err)
	}
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		w := newWorld(t, b)
		in := w.signInOf(w.user.ID, "handle of old", "")
		in.AMR = []string{"fed"}
		if _, err := w.SignIn(t.Context(), in, noon); err != nil {
			t.Fatal(err)
		}
		err := w.Write(t.Context(), func(tx *gorm.DB) error {
			if err := tx.Exec(`UPDATE sessions SET arrived_at = 0`).Error; err != nil { // the default of the new column
				return err
			}
			for statement := range strings.SplitSeq(string(text), ";\n") {
				if strings.Contains(statement, "UPDATE sessions") {
					if err := storage.RunScript(tx, statement+";\n"); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for handle, proved := range map[string]storage.Millis{"handle of alice": storage.At(noon), "handle of old": 0} {
			s, _, err := w.SessionByHandle(t.Context(), handle, noon)
			if err != nil || s.AuthTime != proved || s.ArrivedAt != storage.At(noon) {
				t.Errorf("%s: proved at %d, arrived at %d, %v; want %d, %d", handle, s.AuthTime, s.ArrivedAt, err, proved, storage.At(noon))
			}
		}
	})
}
