package storage_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/federation/foreign"
	"signet/storage"
)

// invite makes an invitation as the command line does.
func (w *world) invite(t testing.TB, d storage.InvitationDraft, at time.Time) storage.MailLink {
	t.Helper()
	l, err := w.Invite(t.Context(), d, storage.By{From: storage.Origin{Actor: "cli"}, At: at})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// mailedInvitation invites a person by mail, and returns the mailed link.
func (w *world) mailedInvitation(t testing.TB, d storage.InvitationDraft, at time.Time) storage.LinkRef {
	t.Helper()
	d.Mail = true
	w.invite(t, d, at)
	for _, m := range w.claimMails(t, at) {
		w.settleMails(t, at, storage.MailResult{Mail: m})
		if m.Message.Kind == storage.MailInvitation && m.Recipient == d.Email && m.ClientID == d.ClientID {
			return m.Message.Link
		}
	}
	t.Fatalf("no mail with an invitation for %s", d.Email)
	return storage.LinkRef{}
}

// accept creates the account of an invitation. The form asks for more than the row gives.
func (w *world) accept(t testing.TB, r storage.LinkRef, at time.Time) (storage.User, error) {
	t.Helper()
	return w.CreateUserByLink(t.Context(), storage.LinkedUser{
		Link: r, Hash: "hash", From: storage.Origin{Address: "192.0.2.7", Agent: "Firefox"},
		User: storage.User{Name: "Zoe", Email: "other@example.com", EmailVerified: true, Admin: true, Roles: []string{"root"}, Groups: []string{"wheel"}},
	}, at)
}

// RC-21: address, roles, groups and rights come from the row of the invitation. Only the link that
// was mailed to the address, or an operator who vouches for it, proves the address.
func TestInvitation_RowAloneDecides(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, c := range map[string]struct {
			invitation       storage.Invitation
			mailed, verified bool
		}{
			"mailed":             {mailed: true, verified: true},
			"handed over":        {},
			"vouched for":        {invitation: storage.Invitation{EmailVerified: true}, verified: true},
			"mailed, with roles": {invitation: storage.Invitation{Roles: []string{"dev"}, Groups: []string{"it", "ops"}}, mailed: true, verified: true},
			"with roles":         {invitation: storage.Invitation{Roles: []string{"dev"}}},
			"administrator":      {invitation: storage.Invitation{Admin: true, ClientID: w.client.ID}, mailed: true, verified: true},
		} {
			d := storage.InvitationDraft{Email: "Zoe." + storage.NewID("z") + "@Example.com", Invitation: c.invitation}
			var r storage.LinkRef
			if c.mailed {
				r = w.mailedInvitation(t, d, noon)
			} else {
				r = w.invite(t, d, noon).Ref()
			}
			made, err := w.accept(t, r, noon)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			u, err := w.User(t.Context(), made.ID)
			if err != nil || u.Email != d.Email || u.EmailVerified != c.verified || u.Admin != c.invitation.Admin || u.Name != "Zoe" ||
				!slices.Equal(u.Roles, c.invitation.Roles) || !slices.Equal(u.Groups, c.invitation.Groups) {
				t.Errorf("%s: user %+v, %v", name, u, err)
			}
			events, err := w.Events(t.Context(), storage.EventFilter{Type: storage.InvitationUsed, UserID: u.ID}, 2)
			if err != nil || len(events) != 1 || events[0].Detail["invitation"] != r.ID || events[0].ClientID != c.invitation.ClientID {
				t.Errorf("%s: events %+v, %v", name, events, err)
			}
		}
	})
}

// acceptThrough creates the account of an invitation with an upstream identity.
func (w *world) acceptThrough(t testing.TB, r storage.LinkRef, subject, email string, proof storage.Voucher, at time.Time) (storage.Session, error) {
	t.Helper()
	identity := upstreamIdentity("", "corp", subject)
	identity.Email = email
	return w.SignInThrough(t.Context(), storage.ConnectorSignIn{
		Identity: identity, AttemptID: storage.NewID("a"), Until: storage.At(at.Add(time.Hour)), Invitation: &r, Proof: proof,
		SignIn: storage.SignIn{HandleHash: storage.NewID("h"), IdleFor: time.Hour, AbsoluteFor: time.Hour},
	}, at)
}

// RC-21: with an upstream identity too, the row alone decides. The upstream proves the address of
// the invitation only if it vouches for that very address.
func TestInvitation_RowAloneDecidesThroughAnUpstream(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for name, c := range map[string]struct {
			email            string // at the upstream; "": that of the invitation
			proof            storage.Voucher
			mailed, verified bool
		}{
			"mailed":                              {email: "other@example.com", mailed: true, verified: true},
			"handed over":                         {},
			"handed over, vouched for":            {proof: storage.ByUpstream, verified: true},
			"handed over, another is vouched for": {email: "other@example.com", proof: storage.ByUpstream},
		} {
			d := storage.InvitationDraft{Email: "Zoe." + storage.NewID("z") + "@Example.com", Invitation: storage.Invitation{Name: "Zoe", Roles: []string{"dev"}}}
			var r storage.LinkRef
			if c.mailed {
				r = w.mailedInvitation(t, d, noon)
			} else {
				r = w.invite(t, d, noon).Ref()
			}
			if c.email == "" {
				c.email = strings.ToLower(d.Email)
			}
			session, err := w.acceptThrough(t, r, storage.NewID("s"), c.email, c.proof, noon)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			u, err := w.User(t.Context(), session.UserID)
			if err != nil || u.Email != d.Email || u.EmailVerified != c.verified || u.Name != "Zoe" || u.Admin || !slices.Equal(u.Roles, []string{"dev"}) {
				t.Errorf("%s: user %+v, %v", name, u, err)
			}
			_, err = w.acceptThrough(t, r, storage.NewID("s"), c.email, c.proof, noon)
			wantLinkCode(t, name, err, "link_used")
		}
	})
}

// A refused acceptance spends nothing and creates nobody, for example if the identity is another
// user's. An account with the address ends the invitation.
func TestInvitation_RefusedThroughAnUpstreamSpendsNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		first := w.mailedInvitation(t, storage.InvitationDraft{Email: "first@example.com"}, noon)
		if _, err := w.acceptThrough(t, first, "one", "", "", noon); err != nil {
			t.Fatal(err)
		}
		second := w.mailedInvitation(t, storage.InvitationDraft{Email: "second@example.com"}, noon)
		_, err := w.acceptThrough(t, second, "one", "", "", noon)
		wantError(t, "the identity of another user", err, storage.ErrConflict)
		if _, _, err := w.UserByEmail(t.Context(), "second@example.com"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a user was created: %v", err)
		}
		if _, err := w.OpenMailLink(t.Context(), second, noon); err != nil {
			t.Errorf("the invitation was spent: %v", err)
		}
		w.createUser(t, "second@example.com")
		_, err = w.acceptThrough(t, second, "two", "", "", noon)
		wantLinkCode(t, "an account since", err, "link_address_taken")
		reset := w.issueLink(t, storage.LinkDraft{Kind: storage.LinkReset, Holder: "h", UserID: w.user.ID, Address: w.user.Email}, noon)
		_, err = w.acceptThrough(t, reset.Ref(), "three", "", "", noon)
		wantLinkCode(t, "another kind", err, "link_ended")
	})
}

// The mailed link and the printed one are one invitation.
func TestInvitation_MailedAndPrintedLinkWorkOnceTogether(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		l := w.invite(t, storage.InvitationDraft{Email: "zoe@example.com", Mail: true}, noon)
		mailed := w.claimMails(t, noon)[0].Message.Link
		if _, err := w.accept(t, l.Ref(), noon); err != nil {
			t.Fatal(err)
		}
		_, err := w.accept(t, mailed, noon)
		wantLinkCode(t, "the mailed link", err, "link_used")
	})
}

// RC-21: an invitation that was used, replaced, revoked, or that has expired creates no account;
// neither does one from before a restore, or one whose inviter may not invite any more.
func TestInvitation_RefusedWhenItHasEnded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		boss := w.verifiedUser(t, "boss@example.com")
		by := storage.By{From: storage.Origin{Actor: "cli"}, At: noon}
		for _, id := range []string{boss.ID, w.user.ID} {
			if _, err := w.GrantAdmin(t.Context(), id, storage.Administrator, storage.KeepAttached, by); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			code string
			act  func(email string, r storage.LinkRef) error
			wait time.Duration
		}{
			{code: "link_used", act: func(_ string, r storage.LinkRef) error { _, err := w.accept(t, r, noon); return err }},
			{code: "link_replaced", act: func(email string, _ storage.LinkRef) error {
				w.invite(t, storage.InvitationDraft{Email: email}, noon)
				return nil
			}},
			{code: "link_ended", act: func(email string, _ storage.LinkRef) error { return w.RevokeInvitation(t.Context(), " "+email, by) }},
			{code: "link_expired", wait: 7 * 24 * time.Hour},
			{code: "link_address_taken", act: func(email string, _ storage.LinkRef) error { w.createUser(t, email); return nil }},
			{code: "link_ended", act: func(string, storage.LinkRef) error { return w.RevokeAdmin(t.Context(), boss.ID, by) }},
			{code: "link_ended", act: func(string, storage.LinkRef) error { // may invite, but give no role
				_, err := w.GrantAdmin(t.Context(), boss.ID, storage.Helpdesk, storage.KeepAttached, by)
				return err
			}},
			{code: "link_ended", act: func(string, storage.LinkRef) error { return w.SetUserEnabled(t.Context(), boss.ID, false, by) }},
			{code: "link_ended", act: func(string, storage.LinkRef) error { _, err := w.MarkRestored(t.Context(), by); return err }},
		} {
			email := storage.NewID("z") + "@example.com"
			l, err := w.Invite(t.Context(), storage.InvitationDraft{Email: email, Invitation: storage.Invitation{Roles: []string{"dev"}}}, storage.By{From: storage.Origin{Actor: boss.ID}, At: noon})
			if err != nil {
				t.Fatal(err)
			}
			if c.act != nil {
				if err := c.act(email, l.Ref()); err != nil {
					t.Fatalf("%s: %v", c.code, err)
				}
			}
			_, err = w.accept(t, l.Ref(), noon.Add(c.wait))
			wantLinkCode(t, email, err, c.code)
			if u, _, err := w.UserByEmail(t.Context(), email); err == nil && len(u.Roles) > 0 && c.code != "link_used" {
				t.Errorf("%s: user %+v has the roles of the invitation", c.code, u)
			}
		}
	})
}

// The role of the inviter at the time of the use decides about the invitation.
func TestInvitation_DependsOnTheRoleOfTheInviter(t *testing.T) {
	gives := map[string]storage.Invitation{
		"nothing": {}, "a role": {Roles: []string{"dev"}}, "a group": {Groups: []string{"staff"}}, "administration": {Admin: true}, "a verified address": {EmailVerified: true},
	}
	eachWorld(t, func(t *testing.T, w *world) {
		for _, role := range storage.AdminRoles() {
			u := storage.User{Email: string(role) + "@example.com"}
			u.SetAdminRole(role)
			inviter, err := w.CreateUser(t.Context(), u, "", storage.By{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			for name, gift := range gives {
				d := storage.InvitationDraft{Email: storage.NewID("z") + "@example.com", Invitation: gift}
				l, err := w.Invite(t.Context(), d, storage.By{From: storage.Origin{Actor: inviter.ID}, At: noon})
				if err != nil {
					t.Fatal(err)
				}
				want := role == storage.Administrator || role == storage.Helpdesk && name == "nothing"
				if _, err := w.accept(t, l.Ref(), noon); (err == nil) != want {
					t.Errorf("%s invites and gives %s: %v, want accepted %v", role, name, err, want)
				}
			}
		}
	})
}

// An administrator who invited a person is told when the account is created, without the network
// address of that person.
func TestInvitation_InviterIsTold(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		boss := w.verifiedUser(t, "boss@example.com")
		if _, err := w.GrantAdmin(t.Context(), boss.ID, storage.Administrator, storage.KeepAttached, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		l, err := w.Invite(t.Context(), storage.InvitationDraft{Email: "zoe@example.com", Invitation: storage.Invitation{InvitedBy: "usr_forged"}}, storage.By{From: storage.Origin{Actor: boss.ID}, At: noon})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.accept(t, l.Ref(), noon); err != nil {
			t.Fatal(err)
		}
		mails := w.claimMails(t, noon)
		if len(mails) != 1 || mails[0].Message.Kind != storage.MailInvitationUsed || mails[0].Recipient != boss.Email {
			t.Fatalf("mails %+v, want one to the inviter", mails)
		}
		if f := mails[0].Message.Facts; f.Invited != "zoe@example.com" || f.Address != "" || f.Agent != "" {
			t.Errorf("facts %+v: want the invited address only", f)
		}
	})
}

func TestInvitation_RefusesAddressesThatCannotBeInvited(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		by := storage.By{From: storage.Origin{Actor: "cli"}, At: noon}
		for _, c := range []struct {
			draft storage.InvitationDraft
			want  error
		}{
			{storage.InvitationDraft{Email: "ALICE@example.com"}, storage.ErrConflict},
			{storage.InvitationDraft{Email: "no address"}, foreign.ErrEmail},
			{storage.InvitationDraft{Email: "zoe@example.com", Invitation: storage.Invitation{ClientID: "unknown"}}, storage.ErrNotFound},
		} {
			_, err := w.Invite(t.Context(), c.draft, by)
			wantError(t, c.draft.Email, err, c.want)
		}
		wantError(t, "revoke", w.RevokeInvitation(t.Context(), "zoe@example.com", by), storage.ErrNotFound)
	})
}

// The list shows what became of each invitation.
func TestInvitations_List(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		at := noon
		expired := w.invite(t, storage.InvitationDraft{Email: "expired@example.com"}, at)
		at = at.Add(7 * 24 * time.Hour)
		used := w.invite(t, storage.InvitationDraft{Email: "used@example.com"}, at)
		if _, err := w.accept(t, used.Ref(), at); err != nil {
			t.Fatal(err)
		}
		open := w.invite(t, storage.InvitationDraft{Email: "open@example.com", Invitation: storage.Invitation{Roles: []string{"dev"}}}, at.Add(time.Second))
		list, err := w.Invitations(t.Context(), storage.InvitationFilter{}, 10, at.Add(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]storage.InvitationState{}
		for _, i := range list {
			got[i.Link.ID] = i.State
		}
		want := map[string]storage.InvitationState{open.ID: storage.InvitationOpen, used.ID: storage.InvitationUsedUp, expired.ID: storage.InvitationExpired}
		for id, state := range want {
			if got[id] != state {
				t.Errorf("%s is %q, want %q", id, got[id], state)
			}
		}
		if list[0].Link.ID != open.ID || !slices.Equal(list[0].Roles, []string{"dev"}) {
			t.Errorf("first is %+v, want the newest with its roles", list[0])
		}
		if one, err := w.Invitations(t.Context(), storage.InvitationFilter{}, 1, at); err != nil || len(one) != 1 {
			t.Errorf("a list of one: %+v, %v", one, err)
		}
		if _, err := w.MarkRestored(t.Context(), storage.By{At: at.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		if list, err := w.Invitations(t.Context(), storage.InvitationFilter{}, 1, at.Add(time.Minute)); err != nil || len(list) != 0 {
			t.Errorf("after a restore: %+v, %v", list, err)
		}
	})
}

// An open invitation ends only if the check of the caller allows it, and leaves an event: when it is
// revoked, by address or ID, and when a newer one replaces it. An invitation that has ended needs no check.
func TestInvitation_EndIsCheckedAndRecorded(t *testing.T) {
	refused := errors.New("refused")
	eachWorld(t, func(t *testing.T, w *world) {
		by := storage.By{From: storage.Origin{Actor: "cli"}, At: noon}
		rich := storage.Invitation{Roles: []string{"dev"}, Admin: true}
		for name, end := range map[string]func(email string, l storage.MailLink, by storage.By, check storage.InvitationCheck) error{
			"revoked": func(email string, _ storage.MailLink, by storage.By, check storage.InvitationCheck) error {
				return w.RevokeInvitation(t.Context(), email, by, check)
			},
			"revoked by ID": func(_ string, l storage.MailLink, by storage.By, check storage.InvitationCheck) error {
				return w.RevokeInvitationByID(t.Context(), l.ID, by, check)
			},
			"replaced": func(email string, _ storage.MailLink, by storage.By, check storage.InvitationCheck) error {
				_, err := w.Invite(t.Context(), storage.InvitationDraft{Email: " " + email, Checks: []storage.InvitationCheck{check}}, by)
				return err
			},
		} {
			w.exec(t, `DELETE FROM events`)
			email := storage.NewID("z") + "@example.com"
			l := w.invite(t, storage.InvitationDraft{Email: email, Invitation: rich}, noon)
			var seen storage.Invitation
			wantError(t, name, end(email, l, by, func(i storage.Invitation) error { seen = i; return refused }), refused)
			if !seen.Admin || len(seen.Roles) != 1 {
				t.Errorf("%s: the check got %+v", name, seen)
			}
			if _, err := w.OpenMailLink(t.Context(), l.Ref(), noon); err != nil {
				t.Errorf("%s, refused: %v, want the invitation as before", name, err)
			}
			wantEvents(t, w, "", storage.InvitationRevoked, 0)
			wantError(t, name, end(email, l, by, func(storage.Invitation) error { return nil }), nil)
			if _, err := w.OpenMailLink(t.Context(), l.Ref(), noon); !errors.Is(err, storage.ErrLinkDead) {
				t.Errorf("%s: %v, want a dead link", name, err)
			}
			wantEvents(t, w, "", storage.InvitationRevoked, 1)
		}
		over := w.invite(t, storage.InvitationDraft{Email: "over@example.com", Invitation: rich}, noon)
		late := storage.By{From: by.From, At: over.ExpiresAt.Time()}
		_, err := w.Invite(t.Context(), storage.InvitationDraft{Email: "over@example.com", Checks: []storage.InvitationCheck{func(storage.Invitation) error { return refused }}}, late)
		wantError(t, "replace an expired one", err, nil)
	})
}
