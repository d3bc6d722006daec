package storage_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"signet/storage"
)

// verifiedUser creates a user with a verified address.
func (w *world) verifiedUser(t testing.TB, email string) storage.User {
	t.Helper()
	u, err := w.CreateUser(t.Context(), storage.User{Email: email, EmailVerified: true}, "hash of "+email, storage.By{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (w *world) claimMails(t testing.TB, at time.Time) []storage.Mail {
	t.Helper()
	list, err := w.ClaimMails(t.Context(), storage.MailClaim{Limit: 100, Lease: lease}, at)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func (w *world) settleMails(t testing.TB, at time.Time, results ...storage.MailResult) {
	t.Helper()
	if err := w.SettleMails(t.Context(), results, at); err != nil {
		t.Fatal(err)
	}
}

func (w *world) setNewPassword(t testing.TB, userID string, by storage.By) {
	t.Helper()
	_, err := w.ResetPassword(t.Context(), storage.PasswordReset{UserID: userID, Hash: "new", Reason: "operator", Unproven: storage.KeepAttached, From: by.From}, by.At)
	if err != nil {
		t.Fatal(err)
	}
}

// A row of a mail has the facts of its act and the address, and nothing with which anybody could
// act.
func TestMails_ActWritesTheMailOfItsUser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.verifiedUser(t, "Bob@Example.com")
		session := w.signIn(t, u.ID, "bob", "", noon)
		from := storage.Origin{Address: "192.0.2.7", Agent: "Firefox\r\nBcc: eve@example.com"}
		_, err := w.ChangePassword(t.Context(), storage.PasswordChange{
			UserID: u.ID, OldHash: "hash of Bob@Example.com", NewHash: "new", SessionID: session.ID, Handle: "bob again", From: from,
		}, noon)
		if err != nil {
			t.Fatal(err)
		}
		mails := w.claimMails(t, noon)
		if len(mails) != 1 {
			t.Fatalf("%d mails, want 1", len(mails))
		}
		m := mails[0]
		want := storage.MailMessage{Kind: storage.MailPasswordChanged, Facts: storage.MailFacts{At: storage.At(noon), Address: "192.0.2.7", Agent: m.Message.Facts.Agent}}
		if m.Recipient != "Bob@Example.com" || m.UserID != u.ID || m.Message != want || m.Tries != 1 || strings.ContainsAny(m.Message.Facts.Agent, "\r\n") {
			t.Errorf("mail %+v, want message %+v", m, want)
		}
	})
}

func TestMails_NoMailToAnUnverifiedAddress(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.setNewPassword(t, w.user.ID, storage.By{At: noon}) // alice's address is not verified
		if mails := w.claimMails(t, noon); len(mails) != 0 {
			t.Errorf("mails %+v, want none", mails)
		}
	})
}

func TestMails_NoMailWithoutAMailServer(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.verifiedUser(t, "bob@example.com")
		silent := &world{DB: w.backend.WithoutMails().Open(t)}
		silent.setNewPassword(t, u.ID, storage.By{At: noon})
		if mails := w.claimMails(t, noon); len(mails) != 0 {
			t.Errorf("mails %+v, want none", mails)
		}
	})
}

func TestMails_EachIsClaimedByOneNode(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for i := range 40 {
			w.requestMail(t, fmt.Sprintf("user%d@example.com", i), noon)
		}
		other := w.backend.Open(t)
		var mu sync.Mutex
		seen := map[string]int{}
		var all sync.WaitGroup
		for i := range 4 {
			db := []*storage.DB{w.DB, other}[i%2]
			all.Go(func() {
				for {
					mails, err := db.ClaimMails(t.Context(), storage.MailClaim{Limit: 3, Lease: lease}, noon)
					if err != nil {
						t.Error(err)
					}
					if len(mails) == 0 {
						break
					}
					mu.Lock()
					for _, m := range mails {
						seen[m.ID]++
					}
					mu.Unlock()
				}
			})
		}
		all.Wait()
		for _, m := range w.claimMails(t, noon) { // a node that lost the race for a batch stops early
			seen[m.ID]++
		}
		if len(seen) != 40 {
			t.Errorf("%d mails were claimed, want 40", len(seen))
		}
		for id, times := range seen {
			if times != 1 {
				t.Errorf("%s was claimed %d times", id, times)
			}
		}
		if again := w.claimMails(t, noon.Add(lease)); len(again) != 40 {
			t.Errorf("%d mails are due when the leases end, want 40", len(again))
		}
	})
}

func (w *world) requestMail(t testing.TB, address string, at time.Time) {
	t.Helper()
	err := w.RequestMail(t.Context(), storage.MailRequest{Mail: &storage.MailDraft{Kind: storage.MailPasswordChanged, Recipient: address}}, at)
	if err != nil {
		t.Fatal(err)
	}
}

func TestMails_ResultDecidesTheNextTry(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, address := range []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"} {
			w.requestMail(t, address, noon)
		}
		var results []storage.MailResult
		for _, m := range w.claimMails(t, noon) {
			results = append(results, map[string]storage.MailResult{
				"a@example.com": {Mail: m},
				"b@example.com": {Mail: m, Error: "status_451", RetryAt: noon.Add(time.Minute)},
				"c@example.com": {Mail: m, Error: "status_550"},
				"d@example.com": {Mail: m, Error: "unreachable", NotTried: true},
			}[m.Recipient])
		}
		w.settleMails(t, noon, results...)
		w.settleMails(t, noon, results...) // the lease is over: nothing changes
		if mails := w.claimMails(t, noon); len(mails) != 1 || mails[0].Recipient != "d@example.com" || mails[0].Tries != 1 || mails[0].LastError != "" {
			t.Errorf("due at once: %+v, want the mail that was not tried", mails)
		}
		if mails := w.claimMails(t, noon.Add(time.Minute)); len(mails) != 2 || mails[1].Recipient != "b@example.com" || mails[1].Tries != 2 || mails[1].LastError != "status_451" { // longest due first
			t.Errorf("due after a minute: %+v, want also the mail with the temporary error", mails)
		}
		failed, err := w.Events(t.Context(), storage.EventFilter{Type: storage.MailFailed}, 10)
		if err != nil || len(failed) != 1 || failed[0].Reason != "status_550" || failed[0].Times != 1 {
			t.Errorf("events %+v, %v, want one for the mail that was given up", failed, err)
		}
	})
}

func TestMails_OperatorRetriesFailedOnes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for i, address := range []string{"a@example.com", "b@example.com", "c@example.com"} {
			w.requestMail(t, address, noon.Add(time.Duration(i)*time.Millisecond))
		}
		mails := w.claimMails(t, noon.Add(time.Second))
		w.settleMails(t, noon, storage.MailResult{Mail: mails[0]}, storage.MailResult{Mail: mails[1], Error: "status_550"},
			storage.MailResult{Mail: mails[2], Error: "timeout", RetryAt: noon.Add(time.Hour)})
		states := func(f storage.MailFilter) (list []string) {
			t.Helper()
			found, err := w.Mails(t.Context(), f, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range found {
				list = append(list, m.Recipient[:1]+" "+string(m.State()))
			}
			return list
		}
		if got := fmt.Sprint(states(storage.MailFilter{})); got != "[c retrying b given_up a delivered]" {
			t.Errorf("all: %s", got)
		}
		if got := fmt.Sprint(states(storage.MailFilter{Failed: true}), states(storage.MailFilter{ID: mails[0].ID})); got != "[c retrying b given_up] [a delivered]" {
			t.Errorf("failed ones, and the first: %s", got)
		}
		by := storage.By{From: storage.Origin{Actor: "cli"}, At: noon.Add(48 * time.Hour)}
		for _, c := range []struct {
			ids  []string
			want int64
		}{{nil, 1}, {[]string{mails[0].ID, mails[2].ID, "mail_unknown"}, 1}, {nil, 0}} {
			if n, err := w.RetryMails(t.Context(), c.ids, by); err != nil || n != c.want {
				t.Errorf("retry %q: %d, %v, want %d", c.ids, n, err, c.want)
			}
		}
		if again := w.claimMails(t, by.At); len(again) != 2 || again[0].Tries != 1 || again[0].CreatedAt != storage.At(by.At) {
			t.Errorf("due: %+v, want two like new ones", again)
		}
		if n, err := w.RetryMails(t.Context(), []string{mails[1].ID}, by); err != nil || n != 0 {
			t.Errorf("retry of a mail that is being sent: %d, %v", n, err)
		}
	})
}

func TestMails_DeletedWithTheirUser(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u := w.verifiedUser(t, "bob@example.com")
		w.setNewPassword(t, u.ID, storage.By{At: noon})
		l, err := w.IssueLink(t.Context(), storage.LinkDraft{Kind: storage.LinkUndo, Holder: "change", UserID: u.ID, Address: u.Email}, noon)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.DeleteUser(t.Context(), u.ID, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if mails := w.claimMails(t, noon); len(mails) != 0 {
			t.Errorf("mails %+v, want none", mails)
		}
		w.wantDeadLink(t, l, noon, "link_ended")
	})
}

// A thousand rows of mails do not hide the logout notices, and the other way round.
func TestOutbox_KindsDoNotMix(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.requestMail(t, "a@example.com", noon.Add(-time.Hour))
		w.addLogoutClient(t, "online", w.session, false)
		if err := w.EndSession(t.Context(), w.user.ID, w.session.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if got := w.claimNotices(t, noon); len(got) != 1 || got[0].ClientID != "online" {
			t.Errorf("notices %+v", got)
		}
		if got := w.claimMails(t, noon); len(got) != 1 || got[0].Recipient != "a@example.com" {
			t.Errorf("mails %+v", got)
		}
	})
}

// The limits count requests for known and unknown addresses alike, and a refused request writes
// nothing.
func TestRequestMail_LimitsCountAlsoWithoutAMail(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		limits := []storage.Limit{{Key: "mail:a", Max: 3, Window: 15 * time.Minute}}
		request := func(mail *storage.MailDraft, at time.Time) error {
			return w.RequestMail(t.Context(), storage.MailRequest{
				Limits: limits, Mail: mail, Link: &storage.LinkDraft{Kind: storage.LinkSignUp, Holder: "a@example.com", Address: "a@example.com"},
			}, at)
		}
		mail := &storage.MailDraft{Kind: storage.MailPasswordChanged, Recipient: "a@example.com"}
		for i, m := range []*storage.MailDraft{mail, nil, mail} {
			if err := request(m, noon.Add(time.Duration(i)*time.Millisecond)); err != nil {
				t.Fatal(err)
			}
		}
		var throttled *storage.ThrottledError
		if err := request(mail, noon); !errors.As(err, &throttled) || throttled.RetryAfter != 15*time.Minute {
			t.Errorf("fourth request: %v, want it to be throttled for 15 minutes", err)
		}
		mails := w.claimMails(t, noon.Add(time.Second))
		if len(mails) != 2 {
			t.Fatalf("%d mails, want 2", len(mails))
		}
		var dead *storage.DeadLinkError
		if _, err := w.OpenMailLink(t.Context(), mails[0].Message.Link, noon); !errors.As(err, &dead) || dead.Code != "link_replaced" {
			t.Errorf("the link of the older mail: %v, want link_replaced", err)
		}
		if _, err := w.OpenMailLink(t.Context(), mails[1].Message.Link, noon); err != nil {
			t.Errorf("the link of the newest mail: %v", err)
		}
		if err := request(mail, noon.Add(15*time.Minute)); err != nil {
			t.Errorf("after the window: %v", err)
		}
	})
}

func (w *world) issueLink(t testing.TB, d storage.LinkDraft, at time.Time) storage.MailLink {
	t.Helper()
	l, err := w.IssueLink(t.Context(), d, at)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// wantDeadLink wants the link to open and spend nothing.
func (w *world) wantDeadLink(t testing.TB, l storage.MailLink, at time.Time, code string) {
	t.Helper()
	_, opened := w.OpenMailLink(t.Context(), l.Ref(), at)
	_, spent := w.SpendLink(t.Context(), l.Ref(), at)
	for act, err := range map[string]error{"open": opened, "spend": spent} {
		var dead *storage.DeadLinkError
		if !errors.As(err, &dead) || dead.Code != code || dead.Kind != l.Kind {
			t.Errorf("%s: %v, want %s", act, err, code)
		}
	}
}

func TestLinks_SpentOnceOfFifty(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		l := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: w.user.ID, UserID: w.user.ID, Address: "a@example.com", Detail: "d"}, noon)
		for range 2 { // reading spends nothing
			if got, err := w.OpenMailLink(t.Context(), l.Ref(), noon); err != nil || got != l {
				t.Fatalf("open: %+v, %v, want %+v", got, err, l)
			}
		}
		nodes := []*storage.DB{w.DB, w.backend.Open(t)}
		var mu sync.Mutex
		won := 0
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				got, err := nodes[i%2].SpendLink(t.Context(), l.Ref(), noon)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && got.Detail == "d" {
					won++
				} else if !errors.Is(err, storage.ErrLinkDead) {
					t.Errorf("%+v, %v", got, err)
				}
			})
		}
		all.Wait()
		if won != 1 {
			t.Errorf("%d of 50 spent the link, want 1", won)
		}
		w.wantDeadLink(t, l, noon, "link_used")
	})
}

// If the act of the link fails, the link can be used again.
func TestLinks_NotSpentByAnActThatFails(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		l := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkSignUp, Holder: "a@example.com"}, noon)
		refused := errors.New("refused")
		err := w.Write(t.Context(), func(tx *gorm.DB) error {
			if err := tx.Exec(`UPDATE mail_links SET used_at = 1 WHERE id = ?`, l.ID).Error; err != nil {
				return err
			}
			return refused
		})
		wantError(t, "act", err, refused)
		if _, err := w.SpendLink(t.Context(), l.Ref(), noon); err != nil {
			t.Error(err)
		}
	})
}

func TestLinks_DeadOnes(t *testing.T) {
	later := noon.Add(time.Minute)
	for name, c := range map[string]struct {
		kind storage.LinkKind
		end  func(t *testing.T, w *world, l *storage.MailLink) error
		want string // "": it stays valid
		at   time.Time
	}{
		"expired": {storage.LinkReset, func(*testing.T, *world, *storage.MailLink) error { return nil }, "link_expired", noon.Add(30 * time.Minute)},
		"newer link": {storage.LinkReset, func(t *testing.T, w *world, _ *storage.MailLink) error {
			w.issueLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: w.user.ID, UserID: w.user.ID}, noon)
			return nil
		}, "link_replaced", later},
		"newer link of another kind": {storage.LinkReset, func(t *testing.T, w *world, _ *storage.MailLink) error {
			w.issueLink(t, storage.LinkDraft{Kind: storage.LinkVerify, Holder: w.user.ID, UserID: w.user.ID}, noon)
			return nil
		}, "", later},
		"kind exchanged": {storage.LinkVerify, func(_ *testing.T, _ *world, l *storage.MailLink) error {
			l.Kind = storage.LinkReset
			return nil
		}, "link_ended", later},
		"another holder": {storage.LinkReset, func(_ *testing.T, _ *world, l *storage.MailLink) error {
			l.Holder = "usr_other"
			return nil
		}, "link_ended", later},
		"signed out everywhere": {storage.LinkReset, func(t *testing.T, w *world, _ *storage.MailLink) error {
			return w.SignOutEverywhere(t.Context(), w.user.ID, "asked", storage.By{At: noon.Add(time.Second)})
		}, "link_ended", later},
		"undo survives sign-out everywhere": {storage.LinkUndo, func(t *testing.T, w *world, _ *storage.MailLink) error {
			return w.SignOutEverywhere(t.Context(), w.user.ID, "asked", storage.By{At: noon.Add(time.Second)})
		}, "", later},
		"password changed": {storage.LinkVerify, func(t *testing.T, w *world, _ *storage.MailLink) error {
			w.setNewPassword(t, w.user.ID, storage.By{At: noon.Add(time.Second)})
			return nil
		}, "link_ended", later},
		"user disabled": {storage.LinkUndo, func(t *testing.T, w *world, _ *storage.MailLink) error {
			return w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{At: noon.Add(time.Second)})
		}, "link_ended", later},
		"database restored": {storage.LinkUndo, func(t *testing.T, w *world, _ *storage.MailLink) error {
			_, err := w.MarkRestored(t.Context(), storage.By{At: noon.Add(time.Second)})
			return err
		}, "link_ended", later},
		"everything ended": {storage.LinkUndo, func(t *testing.T, w *world, _ *storage.MailLink) error {
			_, err := w.EndEverything(t.Context(), storage.Ending{Reason: "stolen"}, storage.By{At: noon.Add(time.Second)})
			return err
		}, "link_ended", later},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				l := w.issueLink(t, storage.LinkDraft{Kind: c.kind, Holder: w.user.ID, UserID: w.user.ID}, noon)
				if err := c.end(t, w, &l); err != nil {
					t.Fatal(err)
				}
				if c.want != "" {
					w.wantDeadLink(t, l, c.at, c.want)
				} else if _, err := w.SpendLink(t.Context(), l.Ref(), c.at); err != nil {
					t.Errorf("%v, want the link to be valid", err)
				}
			})
		})
	}
}

// A link that is made in the same transaction or moment in which everything of its user ends is
// valid.
func TestLinks_MadeAfterTheEndAreValid(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.signIn(t, w.user.ID, "fast clock", "", noon.Add(time.Minute))
		if err := w.SignOutEverywhere(t.Context(), w.user.ID, "asked", storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		l := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: w.user.ID, UserID: w.user.ID}, noon)
		if _, err := w.OpenMailLink(t.Context(), l.Ref(), noon); err != nil {
			t.Error(err)
		}
	})
}

// Neither the rows nor the events of a mail contain the sealed link: only its name, which opens
// nothing.
func TestLinks_NameIsNoSecretText(t *testing.T) {
	text, err := json.Marshal(storage.MailMessage{Kind: storage.MailPasswordChanged, Link: storage.LinkRef{Kind: storage.LinkReset, Holder: "usr_a", ID: "i"}})
	if want := `{"kind":"password_changed","link":{"k":"reset","h":"usr_a","i":"i"},"facts":{"at":0}}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
}

// A restored database does not know which mails were delivered after the backup. None of them is
// sent again.
func TestMarkRestored_GivesUpMails(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.requestMail(t, "a@example.com", noon)
		w.requestMail(t, "b@example.com", noon.Add(time.Second))
		w.settleMails(t, noon, storage.MailResult{Mail: w.claimMails(t, noon)[0], Error: "status_451", RetryAt: noon.Add(time.Hour)})
		if _, err := w.MarkRestored(t.Context(), storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if due := w.claimMails(t, noon.Add(2*time.Hour)); len(due) != 0 {
			t.Errorf("due after a restore: %+v", due)
		}
		mails, err := w.Mails(t.Context(), storage.MailFilter{}, 10)
		if err != nil || len(mails) != 2 || mails[0].State() != storage.MailGivenUp || mails[1].LastError != "restored" {
			t.Errorf("mails %+v, %v, want two that were given up", mails, err)
		}
	})
}
