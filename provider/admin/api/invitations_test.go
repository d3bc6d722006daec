package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// TestInvitations_InviteListAndRevoke invites people with and without a mail, lists and revokes.
func TestInvitations_InviteListAndRevoke(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithMail(mailtest.Start(t)))
		o, check := b.Operator(t, storage.ScopeAdminAll), answerCheck(t, b)
		want := map[string]bool{}
		for i := range 7 {
			made := o.Call(t, http.MethodPost, "/invitations", fmt.Sprintf(`{"email":"new-%d@example.com","name":"New","roles":["dev"],"groups":["a"],"mail":%v}`, i, i%2 == 0))
			check(t, made)
			got := made.JSON(t)
			id, _ := got["id"].(string)
			if made.StatusCode != http.StatusCreated || !strings.HasPrefix(fmt.Sprint(got["link"]), b.Issuer+"/link/invitation?") || got["mailed"] != (i%2 == 0) || got["invited_by"] != o.Client.ID || made.Header.Get("Location") != b.Issuer+"/admin/api/v1/invitations/"+id {
				t.Fatalf("got %d %s", made.StatusCode, made.Body)
			}
			read := o.Call(t, http.MethodGet, "/invitations/"+id, "")
			check(t, read)
			if read.Header.Get("ETag") != made.Header.Get("ETag") || strings.Contains(read.Body, "/link/") || read.JSON(t)["state"] != "open" {
				t.Errorf("got %s, want the invitation without its link", read.Body)
			}
			want[id] = true
			if i < 3 {
				b.Advance(time.Millisecond)
			}
		}
		b.Newest(t, "new-0@example.com", "Your invitation to "+strings.TrimPrefix(b.Issuer, "http://"))
		for _, limit := range []int{1, 2, 3, 200} {
			if got := idsOf(t, o, fmt.Sprint("/invitations?limit=", limit)); len(got) != len(want) {
				t.Errorf("limit %d: got %d invitations, want %d", limit, len(got), len(want))
			}
		}
		for id := range want {
			if a := o.Call(t, http.MethodDelete, "/invitations/"+id, ""); a.StatusCode != http.StatusNoContent {
				t.Errorf("revoke: got %d %s", a.StatusCode, a.Body)
			}
			o.Call(t, http.MethodDelete, "/invitations/"+id, "").WantProblem(t, "again", http.StatusNotFound, "not_found", "")
		}
		for _, c := range []struct {
			body        string
			status      int
			code, field string
		}{
			{`{"email":"` + providertest.Alice + `"}`, 409, "conflict", "email"},
			{`{"email":"x"}`, 422, "invalid_field", "email"},
			{`{"email":"x@example.com","client_id":"nobody"}`, 422, "invalid_value", "client_id"},
			{`{"email":"x@example.com","sub":"1"}`, 422, "unknown_member", "sub"},
			{`{"name":"x"}`, 422, "missing_member", "email"},
		} {
			o.Call(t, http.MethodPost, "/invitations", c.body).WantProblem(t, c.body, c.status, c.code, c.field)
		}
		events, err := b.DB.Events(t.Context(), storage.EventFilter{Type: storage.InvitationCreated}, 100)
		if err != nil || len(events) != len(want) || events[0].From.Actor != o.Client.ID || events[0].From.RequestID == "" {
			t.Errorf("got %d events, %v, want %d of the client", len(events), err, len(want))
		}
	})
}

// TestInvitations_WithoutMailServer: a mail cannot be asked for, and none is written.
func TestInvitations_WithoutMailServer(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminUsers)
		if a := o.Call(t, http.MethodPost, "/invitations", `{"email":"new@example.com"}`); a.StatusCode != http.StatusCreated || a.JSON(t)["mailed"] != false {
			t.Errorf("got %d %s", a.StatusCode, a.Body)
		}
		o.Call(t, http.MethodPost, "/invitations", `{"email":"new@example.com","mail":true}`).WantProblem(t, "no mail server", http.StatusConflict, "no_mail", "mail")
	})
}

// TestInvitations_GiveNoMoreThanTheInviterMay: a helper of users invites without rights, and an
// invitation ends with the rights of its inviter.
//
// AD-06: a lower operator cannot give rights.
func TestInvitations_GiveNoMoreThanTheInviterMay(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminUsers)
		for member, value := range map[string]string{"roles": `["root"]`, "groups": `[]`, "admin": "true", "email_verified": "true"} {
			o.Call(t, http.MethodPost, "/invitations", `{"email":"new@example.com","`+member+`":`+value+`}`).WantProblem(t, member, http.StatusForbidden, "insufficient_scope", member)
		}
		by := storage.By{From: providertest.TestOrigin, At: b.Now()}
		for name, end := range map[string]func(o providertest.Operator) error{
			"enabled":  func(providertest.Operator) error { return nil },
			"disabled": func(o providertest.Operator) error { return b.DB.SetClientEnabled(t.Context(), o.Client.ID, false, by) },
			"deleted":  func(o providertest.Operator) error { return b.DB.DeleteClient(t.Context(), o.Client.ID, by) },
			"scope removed": func(o providertest.Operator) error {
				_, err := b.DB.ReviseClient(t.Context(), o.Client.ID, func(c *storage.Client) error { c.Metadata.Scope = storage.ScopeAdminUsers; return nil }, by)
				return err
			},
			"admin_api removed": func(o providertest.Operator) error {
				_, err := b.DB.ReviseClient(t.Context(), o.Client.ID, func(c *storage.Client) error { c.AdminAPI = false; return nil }, by)
				return err
			},
		} {
			o := b.Operator(t, storage.ScopeAdminAll)
			email := strings.ReplaceAll(name, " ", "-") + "@example.com"
			link := o.Call(t, http.MethodPost, "/invitations", `{"email":"`+email+`","roles":["dev"]}`).JSON(t)["link"].(string)
			if err := end(o); err != nil {
				t.Fatal(err)
			}
			v := b.Visitor(t)
			v.Submit(t, v.Get(t, link).FormTo(t, "/link/invitation", "", ""), "new-password", providertest.NewPassword)
			_, _, err := b.DB.UserByEmail(t.Context(), email)
			if works := err == nil; works != (name == "enabled") {
				t.Errorf("inviter %s: got %v", name, err)
			}
		}
	})
}

// TestInvitations_GivingRightsEndsByFullOperatorsOnly: a helper of users, service or person, neither
// replaces nor revokes an invitation that gives more than the helper may give.
//
// AD-06: a lower operator takes no rights away.
func TestInvitations_GivingRightsEndsByFullOperatorsOnly(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, _ := b.Operating(t, storage.Helpdesk)
		admin := b.Operator(t, storage.ScopeAdminAll)
		helpers := map[string]providertest.Operator{"service": b.Operator(t, storage.ScopeAdminUsers), "person": v.OperatorToken(t, storage.ScopeAdminUsers)}
		for gives, member := range map[string]string{"roles": `,"roles":["dev"]`, "groups": `,"groups":["staff"]`, "admin": `,"admin":true`, "proof": `,"email_verified":true`, "nothing": ""} {
			for kind, helper := range helpers {
				email := gives + "-" + kind + "@example.com"
				made := admin.Call(t, http.MethodPost, "/invitations", `{"email":"`+email+`"`+member+`}`).JSON(t)
				link, at := made["link"].(string), "/invitations/"+made["id"].(string)
				replace := helper.Call(t, http.MethodPost, "/invitations", `{"email":"`+email+`"}`)
				if gives == "nothing" {
					if replace.StatusCode != http.StatusCreated {
						t.Errorf("%s replaces one that gives nothing: got %d %s", kind, replace.StatusCode, replace.Body)
					}
					at = "/invitations/" + replace.JSON(t)["id"].(string)
					if a := helper.Call(t, http.MethodDelete, at, ""); a.StatusCode != http.StatusNoContent {
						t.Errorf("%s revokes one that gives nothing: got %d %s", kind, a.StatusCode, a.Body)
					}
					continue
				}
				replace.WantProblem(t, kind+" replaces "+gives, http.StatusForbidden, "insufficient_scope", "")
				helper.Call(t, http.MethodPost, "/users", `{"email":"`+email+`"}`).WantProblem(t, kind+" creates the invited user", http.StatusForbidden, "insufficient_scope", "")
				helper.Call(t, http.MethodDelete, at, "").WantProblem(t, kind+" revokes "+gives, http.StatusForbidden, "insufficient_scope", "")
				b.Visitor(t).Get(t, link).FormTo(t, "/link/invitation", "", "")
				if a := admin.Call(t, http.MethodDelete, at, ""); a.StatusCode != http.StatusNoContent {
					t.Errorf("an administrator revokes %s: got %d %s", gives, a.StatusCode, a.Body)
				}
			}
		}
	})
}

// TestMail_ListAndRetry lists the outbox page by page and sends failed mails again. A caller with
// signet:read does not see it.
func TestMail_ListAndRetry(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithMail(mailtest.Start(t)))
		o, check := b.Operator(t, storage.ScopeAdminAll), answerCheck(t, b)
		for i := range 5 {
			o.Call(t, http.MethodPost, "/invitations", fmt.Sprintf(`{"email":"new-%d@example.com"}`, i))
		}
		for _, limit := range []int{1, 2, 200} {
			if got := idsOf(t, o, fmt.Sprint("/mail?limit=", limit)); len(got) != 5 {
				t.Errorf("limit %d: got %d mails, want 5", limit, len(got))
			}
		}
		claimed, err := b.DB.ClaimMails(t.Context(), storage.MailClaim{Limit: 2, Lease: time.Minute}, b.Now())
		if err != nil || len(claimed) != 2 {
			t.Fatal(claimed, err)
		}
		results := []storage.MailResult{{Mail: claimed[0], Error: "refused"}, {Mail: claimed[1], Error: "refused"}}
		if err := b.DB.SettleMails(t.Context(), results, b.Now()); err != nil {
			t.Fatal(err)
		}
		list := o.Call(t, http.MethodGet, "/mail?failed=true", "")
		check(t, list)
		if items := list.JSON(t)["items"].([]any); len(items) != 2 || items[0].(map[string]any)["state"] != "given_up" {
			t.Errorf("got %s", list.Body)
		}
		one := o.Call(t, http.MethodPost, "/mail/retry", `{"ids":["`+claimed[0].ID+`"]}`)
		check(t, one)
		if fmt.Sprint(one.JSON(t)) != "map[retried:1]" {
			t.Errorf("one: got %d %s", one.StatusCode, one.Body)
		}
		if a := o.Call(t, http.MethodPost, "/mail/retry", `{}`); fmt.Sprint(a.JSON(t)) != "map[retried:1]" {
			t.Errorf("all: got %d %s", a.StatusCode, a.Body)
		}
		if a := o.Call(t, http.MethodGet, "/mail?failed=true", ""); fmt.Sprint(a.JSON(t)["items"]) != "[]" {
			t.Errorf("after the retry: got %s", a.Body)
		}
		o.Call(t, http.MethodPost, "/mail/retry", `{"ids":["mail_nobody"]}`).WantProblem(t, "an unknown mail", http.StatusNotFound, "not_found", "")
		o.Call(t, http.MethodPost, "/mail/retry", `{"ids":[]}`).WantProblem(t, "no ids", http.StatusUnprocessableEntity, "invalid_value", "ids")
		auditor := b.Operator(t, storage.ScopeAdminRead)
		auditor.Call(t, http.MethodGet, "/mail", "").WantProblem(t, "mails", http.StatusForbidden, "insufficient_scope", "")
	})
}
