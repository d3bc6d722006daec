package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// TestEvents_PagesHaveEachEventOnce reads the events in pages of several sizes and with filters. Each
// page has the newest events first, and each event can be read by its id.
func TestEvents_PagesHaveEachEventOnce(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminRead)
		check := answerCheck(t, b)
		ada := b.CreateUser(t, storage.User{Email: "ada@example.com", ChosenSubject: "s-1"}, providertest.Password)
		begin := b.Now()
		for i := range 9 {
			b.Advance(time.Second)
			e := storage.Event{Type: storage.UserRefused, Outcome: storage.Refused, UserID: ada.ID, ClientID: fmt.Sprint("c", i%2), Reason: fmt.Sprint(i), Detail: map[string]any{"n": i}, From: storage.Origin{Actor: "cli"}}
			if err := b.DB.RecordEvent(t.Context(), e, b.Now()); err != nil {
				t.Fatal(err)
			}
		}
		for path, want := range map[string]int{
			"/events?sub=s-1&type=user.refused&":                           9,
			"/events?sub=" + ada.ID + "&":                                  10, // with its creation
			"/events?client_id=c1&":                                        4,
			"/events?client_id=c1&outcome=refused&":                        4,
			"/events?client_id=c1&outcome=success&":                        0,
			"/events?client_id=nobody&":                                    0,
			"/events?sub=nobody&":                                          0,
			"/events?type=user.refused&since=" + rfc(begin.Add(5e9)) + "&": 5,
		} {
			for _, limit := range []int{1, 2, 3, 200} {
				if got := idsOf(t, o, path+"limit="+fmt.Sprint(limit)); len(got) != want {
					t.Errorf("%s in pages of %d: got %d events, want %d", path, limit, len(got), want)
				}
			}
		}
		newest := o.Call(t, http.MethodGet, "/events?type=user.refused&limit=2", "")
		check(t, newest)
		item := newest.JSON(t)["items"].([]any)[0].(map[string]any)
		if item["reason"] != "8" || item["actor"] != "cli" || fmt.Sprint(item["detail"]) != "map[n:8]" {
			t.Errorf("newest: got %v", item)
		}
		one := o.Call(t, http.MethodGet, "/events/"+item["id"].(string), "")
		check(t, one)
		if fmt.Sprint(one.JSON(t)) != fmt.Sprint(item) {
			t.Errorf("one event: got %s, want %v", one.Body, item)
		}
		for path, field := range map[string]string{
			"/events?type=user.x": "type", "/events?outcome=x": "outcome", "/events?since=24h": "since", "/events?since=2026-01-31": "since",
		} {
			o.Call(t, http.MethodGet, path, "").WantProblem(t, path, http.StatusUnprocessableEntity, "invalid_value", field)
		}
		o.Call(t, http.MethodGet, "/events/evt_nobody", "").WantProblem(t, "an unknown event", http.StatusNotFound, "not_found", "")
	})
}

func rfc(at time.Time) string { return url.QueryEscape(at.Format(time.RFC3339Nano)) }

// TestSessions_ShowAndEndBySid reads a session by its sid and ends it. It records one event, with the
// client as actor.
func TestSessions_ShowAndEndBySid(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.Allow(t, v.SignIn(t, v.Get(t, b.AuthorizeURL("scope", "openid")), providertest.Alice, providertest.Password)).Code(t))
		sid := providertest.SidOf(t, tokens).(string)
		o, check := b.Operator(t, storage.ScopeAdminUsers), answerCheck(t, b)
		read := o.Call(t, http.MethodGet, "/sessions/"+sid, "")
		check(t, read)
		if got := read.JSON(t); got["sid"] != sid || got["sub"] != b.Alice.PublicSubject() || fmt.Sprint(got["clients"]) != "["+b.Client.ID+"]" {
			t.Errorf("got %s", read.Body)
		}
		o.Call(t, http.MethodDelete, "/users/"+b.CreateUser(t, storage.User{Email: "bob@example.com"}, providertest.Password).ID+"/sessions/"+sid, "").
			WantProblem(t, "of another user", http.StatusNotFound, "not_found", "")
		if a := o.Call(t, http.MethodDelete, "/sessions/"+sid, ""); a.StatusCode != http.StatusNoContent {
			t.Errorf("end: got %d %s", a.StatusCode, a.Body)
		}
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			o.Call(t, method, "/sessions/"+sid, "").WantProblem(t, "an ended session", http.StatusNotFound, "not_found", "")
		}
		events, err := b.DB.Events(t.Context(), storage.EventFilter{Type: storage.SessionEnded, UserID: b.Alice.ID}, 10)
		if err != nil || len(events) != 1 || events[0].From.Actor != o.Client.ID || events[0].SessionID != sid {
			t.Errorf("got %+v, %v, want one event of the client", events, err)
		}
	})
}
