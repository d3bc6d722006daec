package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// TestKeys_ListRotateAndRevoke rotates too early, in time and by force, and revokes a key. Each change
// leaves events with the client as actor, and no answer has a private key.
func TestKeys_ListRotateAndRevoke(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		o, check := b.Operator(t, storage.ScopeAdminKeys), answerCheck(t, b)
		list := o.Call(t, http.MethodGet, "/keys", "")
		check(t, list)
		states := map[string]string{} // kid of ES256 by state
		for _, item := range list.JSON(t)["items"].([]any) {
			k := item.(map[string]any)
			if k["alg"] == "ES256" {
				states[k["state"].(string)] = k["kid"].(string)
			}
			for name := range k {
				if slices.Contains([]string{"sealed", "public", "d"}, name) {
					t.Errorf("a key has the member %s", name)
				}
			}
		}
		early := o.Call(t, http.MethodPost, "/keys/rotate", `{}`)
		check(t, early)
		early.WantProblem(t, "too early", http.StatusConflict, "next_key_too_young", "")
		if !strings.Contains(early.Body, b.Now().UTC().Add(24*time.Hour).Format("2006-01-02T15:")) {
			t.Errorf("got %s, want the time from which it is possible", early.Body)
		}
		o.Call(t, http.MethodPost, "/keys/rotate", `{"alg":"none"}`).WantProblem(t, "an unknown algorithm", http.StatusUnprocessableEntity, "unknown_key", "alg")
		forced := o.Call(t, http.MethodPost, "/keys/rotate", `{"alg":"ES256","force":true}`)
		check(t, forced)
		rotated, _ := forced.JSON(t)["rotated"].([]any)
		if len(rotated) != 1 || rotated[0].(map[string]any)["kid"] != states["next"] || rotated[0].(map[string]any)["retired"] != states["active"] {
			t.Fatalf("got %d %s, want %v", forced.StatusCode, forced.Body, states)
		}
		revoked := o.Call(t, http.MethodPost, "/keys/"+states["active"]+"/revoke", `{"reason":"found in a log"}`)
		check(t, revoked)
		if got := revoked.JSON(t); got["kid"] != states["active"] || got["state_before"] != "retired" || got["reason"] != "found in a log" {
			t.Errorf("got %d %s", revoked.StatusCode, revoked.Body)
		}
		for _, kind := range []storage.EventType{storage.KeyRotated, storage.KeyRevokedEvent} {
			events, err := b.DB.Events(t.Context(), storage.EventFilter{Type: kind}, 10)
			if err != nil || len(events) != 1 || events[0].From.Actor != o.Client.ID || events[0].From.RequestID == "" {
				t.Errorf("%s: got %+v, %v, want one event of the client", kind, events, err)
			}
		}
		again := b.Operator(t, storage.ScopeAdminKeys) // the former token may be signed by the revoked key
		again.Call(t, http.MethodPost, "/keys/"+states["active"]+"/revoke", `{}`).WantProblem(t, "again", http.StatusConflict, "revoked_already", "")
		again.Call(t, http.MethodPost, "/keys/nobody/revoke", `{}`).WantProblem(t, "an unknown key", http.StatusNotFound, "not_found", "")
	})
}
