package storage_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"signet/storage"
)

func TestSignIn_ReadsBackEveryField(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s, u, err := w.SessionByHandle(t.Context(), "handle of alice", noon)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(s, w.session) {
			t.Errorf("read %+v\nwant %+v", s, w.session)
		}
		if !reflect.DeepEqual(u, w.user) {
			t.Errorf("user %+v\nwant %+v", u, w.user)
		}
		if s.Agent != "agent" || s.Address != "192.0.2.1" || !s.Has(storage.FactAuthenticated, "req handle of alice") {
			t.Errorf("session %+v has not the agent, the address and the request of the sign-in", s)
		}
	})
}

func TestSignIn_SameUserKeepsTheSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := noon.Add(time.Hour)
		next := w.signIn(t, w.user.ID, "second handle", "handle of alice", at)
		if next.ID != w.session.ID || next.CreatedAt != w.session.CreatedAt || next.AuthTime != storage.At(at) || len(next.Facts) != 2 {
			t.Errorf("session %+v: want session %s with a new auth_time", next, w.session.ID)
		}
		_, _, err := w.SessionByHandle(t.Context(), "handle of alice", at)
		wantError(t, "old handle", err, storage.ErrNotFound)
		read, _, err := w.SessionByHandle(t.Context(), "second handle", at)
		if err != nil || !reflect.DeepEqual(read, next) {
			t.Errorf("read %+v, %v\nwant %+v", read, err, next)
		}
	})
}

func TestSignIn_AnotherUserEndsTheSession(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		g := w.redeem(t, w.redemption("request", "code", noon), noon)
		bob := w.createUser(t, "bob@example.com")
		s := w.signIn(t, bob.ID, "handle of bob", "handle of alice", noon)
		if s.ID == w.session.ID || len(s.Facts) != 1 {
			t.Errorf("session %+v of bob took over alice's", s)
		}
		w.wantDead(t, g.ID, noon)
		_, _, err := w.SessionByHandle(t.Context(), "handle of alice", noon)
		wantError(t, "alice's handle", err, storage.ErrNotFound)
	})
}

func TestSignIn_DeadSessionIsNotRevived(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "signed_out", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if s := w.signIn(t, w.user.ID, "second handle", "handle of alice", noon); s.ID == w.session.ID {
			t.Error("the ended session was continued")
		}
		second := w.signIn(t, w.user.ID, "third handle", "", noon)
		late := second.ExpiresAt.Time()
		if s := w.signIn(t, w.user.ID, "fourth handle", "third handle", late); s.ID == second.ID {
			t.Error("the expired session was continued")
		}
	})
}

func TestSignIn_RefusesDisabledAndUnknownUsers(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if err := w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{w.user.ID, "usr_nobody"} {
			_, err := w.SignIn(t.Context(), storage.SignIn{UserID: id, HandleHash: "new", IdleFor: time.Hour, AbsoluteFor: time.Hour}, noon)
			wantError(t, id, err, storage.ErrRevoked)
		}
	})
}

// ST-11: the clock that disabled and enabled the user may be ahead or behind. A new
// session is valid with a clock that is behind, and a session from a clock that was
// ahead ends.
func TestSignIn_ClockStepsNeitherLockOutNorRevive(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ahead := noon.Add(time.Hour)
		future := w.signIn(t, w.user.ID, "from the future", "", ahead)
		for _, off := range []bool{true, false} {
			if err := w.SetUserEnabled(t.Context(), w.user.ID, !off, storage.By{At: noon}); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := w.SessionByHandle(t.Context(), "from the future", ahead)
		wantError(t, "session from a clock that was ahead", err, storage.ErrNotFound)
		s := w.signIn(t, w.user.ID, "handle of now", "", noon)
		if s.CreatedAt <= future.CreatedAt {
			t.Errorf("created at %d, want a time after not_before", s.CreatedAt)
		}
		w.session = s
		w.wantAlive(t, w.redeem(t, w.redemption("request", "code", noon), noon).ID, noon)
	})
}

func TestSignIn_RehashAndGiveBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		limit := []storage.Limit{{Key: "acct:alice", Max: 1, Window: time.Minute}}
		reserved, err := w.Reserve(t.Context(), limit, noon)
		if err != nil {
			t.Fatal(err)
		}
		signIn := storage.SignIn{
			UserID: w.user.ID, HandleHash: "h2", IdleFor: time.Hour, AbsoluteFor: time.Hour,
			OldHash: "hash of alice@example.com", NewHash: "better", GiveBack: reserved,
		}
		if _, err := w.SignIn(t.Context(), signIn, noon); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Reserve(t.Context(), limit, noon); err != nil {
			t.Errorf("the attempt was not given back: %v", err)
		}
		signIn.HandleHash, signIn.NewHash, signIn.GiveBack = "h3", "stale", storage.Reservation{}
		if _, err := w.SignIn(t.Context(), signIn, noon); err != nil {
			t.Fatal(err)
		}
		if _, hash, err := w.UserByEmail(t.Context(), "alice@example.com"); err != nil || hash != "better" {
			t.Errorf("hash %q, %v: want better: an outdated rehash must not replace it", hash, err)
		}
	})
}

func TestSignIn_HandleIsUnique(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bob := w.createUser(t, "bob@example.com")
		_, err := w.SignIn(t.Context(), storage.SignIn{UserID: bob.ID, HandleHash: "handle of alice", IdleFor: time.Hour, AbsoluteFor: time.Hour}, noon)
		wantError(t, "a handle that is taken", err, storage.ErrConflict)
	})
}

// A session stands on one proof: time, level, methods and the way that was used belong together. A
// later sign-in replaces all of them or none.
func TestSignIn_ProofIsOneSet(t *testing.T) {
	minutes := func(n int) storage.Millis { return storage.At(noon.Add(time.Duration(n) * time.Minute)) }
	const one, two, strong = storage.ACROneFactor, storage.ACRTwoFactors, storage.ACRPhishingResistant
	recent, any := 5*time.Minute, 24*time.Hour
	keep := func(age *time.Duration) *storage.Freshness { return &storage.Freshness{MaxAge: age} }
	for name, c := range map[string]struct {
		before, acr string
		after       int                        // minutes between the proofs
		asserted    *storage.AssertedFreshness // of the second one
		keep        *storage.Freshness
		kept        bool
	}{
		"a stronger proof replaces":                         {before: one, acr: two, after: 1, keep: keep(&recent)},
		"an equal proof replaces":                           {before: two, acr: two, after: 1, keep: keep(&recent)},
		"a weaker proof leaves a recent one":                {before: two, acr: one, after: 1, keep: keep(&recent), kept: true},
		"a weaker proof leaves the strongest":               {before: strong, acr: two, after: 1, keep: keep(&recent), kept: true},
		"a weaker proof replaces an old one":                {before: two, acr: one, after: 6, keep: keep(&recent)},
		"a weaker proof for a new sign-in replaces":         {before: two, acr: one, after: 1, keep: &storage.Freshness{MaxAge: &any, Reauthenticate: true}},
		"a weaker proof replaces without a condition":       {before: two, acr: one, after: 1},
		"an unknown level leaves a recent one":              {before: one, acr: "", after: 1, keep: keep(&recent)},
		"an older proof of an upstream changes nothing":     {before: one, acr: one, after: 60, asserted: &storage.AssertedFreshness{AuthTime: minutes(-1)}, kept: true},
		"an older and stronger proof changes nothing":       {before: one, acr: strong, after: 60, asserted: &storage.AssertedFreshness{AuthTime: minutes(-1)}, kept: true},
		"an upstream without a time changes nothing":        {before: one, acr: one, after: 60, asserted: &storage.AssertedFreshness{}, kept: true},
		"a newer and weaker proof of an upstream":           {before: two, acr: one, after: 3, asserted: &storage.AssertedFreshness{AuthTime: minutes(2)}, keep: keep(&recent), kept: true},
		"a newer proof of an upstream replaces an old one":  {before: two, acr: one, after: 60, asserted: &storage.AssertedFreshness{AuthTime: minutes(59)}, keep: keep(&recent)},
		"a new proof for this request at an upstream":       {before: one, acr: one, after: 60, asserted: &storage.AssertedFreshness{AuthTime: minutes(59), Reauthenticated: true}},
		"a clock ahead at the upstream does not look later": {before: one, acr: one, after: 60, asserted: &storage.AssertedFreshness{AuthTime: minutes(90)}},
	} {
		eachWorld(t, func(t *testing.T, w *world) {
			at := noon.Add(time.Duration(c.after) * time.Minute)
			w.exec(t, `UPDATE sessions SET acr = ?, amr = '["first"]', auth_time = ?, connector = 'first', identity = 'key of the first' WHERE id = ?`, c.before, storage.At(noon), w.session.ID)
			second := w.signInOf(w.user.ID, "second handle", "handle of alice")
			second.ACR, second.AMR, second.Asserted, second.KeepStronger = c.acr, []string{"second"}, c.asserted, c.keep
			w.session.ACR = c.before
			if storage.ACRReaches(c.acr, storage.ACRTwoFactors) {
				w.exec(t, `INSERT INTO credentials (id, user_id, kind, secret, created_at, updated_at) VALUES ('crd_code', ?, 'recovery', ?, 0, 0)`, w.user.ID, []byte("hash"))
				second.Factor = &storage.FactorUse{CodeHash: []byte("hash")}
			}
			got, err := w.SignIn(t.Context(), second, at)
			if err != nil {
				t.Fatal(err)
			}
			type proof struct {
				AuthTime            storage.Millis
				ACR, AMR            string
				Connector, Identity string
			}
			want := proof{storage.At(noon), c.before, "[first]", "first", "key of the first"}
			if !c.kept {
				want = proof{storage.At(at), c.acr, "[second]", "", ""}
				if c.asserted != nil {
					want.AuthTime = min(c.asserted.AuthTime, storage.At(at))
				}
			}
			read, _, err := w.SessionByHandle(t.Context(), "second handle", at)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []storage.Session{got, read} {
				if has := (proof{s.AuthTime, s.ACR, fmt.Sprint(s.AMR), s.Connector, s.Identity}); has != want {
					t.Errorf("%s:\ngot  %+v\nwant %+v", name, has, want)
				}
			}
			if len(got.Facts) != 2 || got.ID != w.session.ID || got.ArrivedAt != storage.At(at) {
				t.Errorf("%s: session %+v: want the same one, with a second fact", name, got)
			}
		})
	}
}

// A session ends with the way that its proof used, and with no other: an arrival that brought no newer
// proof changes neither.
func TestUnlinkIdentity_EndsSessionOfKeptProof(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.signInThrough(t, w.user.ID, "good", "1", "")
		w.signInThrough(t, w.user.ID, "evil", "1", "")
		kept := w.signIn(t, w.user.ID, "of the password", "", noon.Add(time.Minute))
		arrive := func(connector, replaces, handle string) storage.Session {
			a := storage.ConnectorSignIn{
				Identity: upstreamIdentity(w.user.ID, connector, "1"), Linked: true,
				AttemptID: handle, Until: storage.At(noon.Add(time.Hour)), SignIn: w.signInOf("", handle, replaces),
			}
			a.SignIn.Asserted = &storage.AssertedFreshness{Connector: connector, AuthTime: storage.At(noon)}
			s, err := w.SignInThrough(t.Context(), a, noon.Add(2*time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		if s := arrive("evil", "of the password", "kept"); s.ID != kept.ID || s.Identity != "" {
			t.Fatalf("session %+v: want that of the password", s)
		}
		opened := arrive("evil", "", "opened")
		if s := arrive("good", "opened", "opened again"); s.Connector != "good" {
			t.Fatalf("session %+v: an equally old proof is the newest one", s)
		}
		w.unlink(t, "evil", w.session.ID)
		for id, lives := range map[string]bool{kept.ID: true, opened.ID: true} {
			if w.signedIn(t, w.user.ID, id) != lives {
				t.Errorf("after evil was unlinked: session %s lives: %v, want %v", id, !lives, lives)
			}
		}
		w.unlink(t, "good", w.session.ID)
		for id, lives := range map[string]bool{kept.ID: true, opened.ID: false} {
			if w.signedIn(t, w.user.ID, id) != lives {
				t.Errorf("after good was unlinked: session %s lives: %v, want %v", id, !lives, lives)
			}
		}
	})
}
