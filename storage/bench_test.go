package storage_test

import (
	"context"
	"testing"

	"signet/storage"
	"signet/storage/storagetest"
)

// BenchmarkRedeemCode runs the only write transaction of a code flow from 16 callers at
// once.
func BenchmarkRedeemCode(b *testing.B) {
	for name, backend := range map[string]func(testing.TB) storagetest.Backend{
		"sqlite": storagetest.SQLite, "postgres": storagetest.Postgres,
	} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, backend(b))
			b.SetParallelism(8)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r := w.redemption(storage.NewID("r"), "code", noon)
					if _, err := w.RedeemCode(context.Background(), r, noon); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkLiveGrant(b *testing.B) {
	for name, backend := range map[string]func(testing.TB) storagetest.Backend{
		"sqlite": storagetest.SQLite, "postgres": storagetest.Postgres,
	} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, backend(b))
			g := w.redeem(b, w.redemption("request", "code", noon), noon)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := w.LiveGrant(context.Background(), g.ID, "jti", noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSessionByHandle measures the read for a signed-in browser at the authorization
// endpoint.
func BenchmarkSessionByHandle(b *testing.B) {
	for name, backend := range map[string]func(testing.TB) storagetest.Backend{
		"sqlite": storagetest.SQLite, "postgres": storagetest.Postgres,
	} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, backend(b))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := w.SessionByHandle(context.Background(), "handle of alice", noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRotateGrant measures a rotation, which is one SQL statement, from 16 callers at
// once.
func BenchmarkRotateGrant(b *testing.B) {
	for name, backend := range map[string]func(testing.TB) storagetest.Backend{
		"sqlite": storagetest.SQLite, "postgres": storagetest.Postgres,
	} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, backend(b))
			b.SetParallelism(8)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				g, err := w.RedeemCode(context.Background(), w.redemption(storage.NewID("r"), "code", noon), noon)
				for pb.Next() && err == nil {
					g, err = w.RotateGrant(context.Background(), storage.GrantRotation{
						GrantID: g.ID, Generation: g.Generation, ClientID: g.ClientID,
					}, func(storage.Grant) error { return nil }, noon)
				}
				if err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// BenchmarkSignIn measures sign-ins one after the other, because several at once share a commit. Each
// continues the session of the browser.
func BenchmarkSignIn(b *testing.B) {
	for name, backend := range map[string]func(testing.TB) storagetest.Backend{
		"sqlite": storagetest.SQLite, "postgres": storagetest.Postgres,
	} {
		for kind, of := range map[string]func(w *world, p storage.Passkey, handle string) storage.SignIn{
			"password": func(w *world, p storage.Passkey, handle string) storage.SignIn {
				return w.signInOf(p.UserID, handle, "")
			},
			"passkey": func(w *world, p storage.Passkey, handle string) storage.SignIn { return w.useOf(p, handle, 0) },
		} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				w := newWorld(b, backend(b))
				s := w.addPasskey(b, "p", w.session.ID, noon)
				w.exec(b, `UPDATE credentials SET number = 0 WHERE handle = 'p'`)
				p, _, err := w.PasskeyByHandle(b.Context(), "p")
				if err != nil {
					b.Fatal(err)
				}
				before := s.HandleHash
				b.ReportAllocs()
				for b.Loop() {
					in := of(w, p, storage.NewID("h"))
					in.Replaces, before = before, in.HandleHash
					if _, err := w.SignIn(context.Background(), in, noon); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
