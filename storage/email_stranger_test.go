package storage_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"signet/storage"
)

// addressRequests are the use cases in which people name an address that need not be theirs. Asker
// is the session of a user who asks.
var addressRequests = map[string]func(ctx context.Context, w *world, asker storage.Session, email string, at time.Time) error{
	"RequestAddressChange": func(ctx context.Context, w *world, asker storage.Session, email string, at time.Time) error {
		return w.RequestAddressChange(ctx, storage.AddressRequest{UserID: asker.UserID, SessionID: asker.ID, FreshFor: time.Hour, Email: email}, at)
	},
	"RequestPasswordReset": func(ctx context.Context, w *world, _ storage.Session, email string, at time.Time) error {
		_, err := w.RequestPasswordReset(ctx, storage.ForgottenPassword{Email: email, Connectors: []string{"google"}}, at)
		return err
	},
	"RequestSignUp": func(ctx context.Context, w *world, _ storage.Session, email string, at time.Time) error {
		_, err := w.RequestSignUp(ctx, storage.SignUpRequest{Email: email, Detail: "detail"}, at)
		return err
	},
}

// The same statements run for every address: over a slow connection to the database, each
// statement more would be seen in the time of the answer.
//
// PW-03: sign-up and reset do not reveal who has an account.
func TestAddressRequests_SameStatementsForEveryAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		create := func(email string, verified bool, hash string) storage.User {
			u, err := w.CreateUser(t.Context(), storage.User{Email: email, EmailVerified: verified}, hash, storage.By{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		disabled := create("disabled@example.com", true, "hash")
		if err := w.SetUserEnabled(t.Context(), disabled.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		federated := create("federated@example.com", true, "")
		w.exec(t, `INSERT INTO identities (connector, issuer, subject, user_id, created_at) VALUES ('google', 'https://google', 's', ?, 1)`, federated.ID)
		addresses := []string{w.user.Email, create("claimed@example.com", false, "hash").Email, create("bare@example.com", true, "").Email,
			federated.Email, disabled.Email, "nobody@example.com", "reserved@example.com"}
		w.exec(t, `INSERT INTO address_changes (id, user_id, email, email_canonical, changed_at, expires_at) VALUES ('chg_1', ?, 'reserved@example.com', 'reserved@example.com', ?, ?)`,
			w.user.ID, storage.At(noon), storage.At(noon.Add(time.Hour)))
		asker := w.signIn(t, create("asker@example.com", true, "hash").ID, "asker", "", noon)
		recorder, err := w.Record(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name, ask := range addressRequests {
			var known []string
			for round := range 2 { // the second request replaces the link
				for _, email := range addresses {
					recorder.Take()
					if err := ask(t.Context(), w, asker, email, noon.Add(time.Duration(round)*time.Minute)); err != nil {
						t.Fatalf("%s, %s: %v", name, email, err)
					}
					var executed []string
					for _, e := range recorder.Take() {
						executed = append(executed, e.SQL)
					}
					if known == nil {
						known = executed
					}
					if len(executed) < 4 || !slices.Equal(executed, known) {
						t.Errorf("%s, %s: statements\n%q, want\n%q", name, email, executed, known)
					}
				}
			}
		}
	})
}

// A request for an address that has an account meanwhile does not replace the link with which the
// account was created: that link still says that it was used.
func TestSignUpRequest_OfAKnownAddressReplacesNoLink(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.askForAccount(t, "zoe@example.com", "", noon)
		w.settleMails(t, noon, storage.MailResult{Mail: m})
		if _, err := w.CreateUserByLink(t.Context(), storage.LinkedUser{Link: m.Message.Link, Hash: "hash"}, noon); err != nil {
			t.Fatal(err)
		}
		w.askForAccount(t, "zoe@example.com", "", noon)
		_, err := w.OpenMailLink(t.Context(), m.Message.Link, noon)
		wantLinkCode(t, "used before the request", err, "link_used")
	})
}
