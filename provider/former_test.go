package provider_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/provider/request"
)

// resealed returns a sealed message in the form of former versions: plain JSON, with the given
// members changed.
func resealed(t *testing.T, b *providertest.Testbed, purpose, sealed string, change map[string]any) string {
	t.Helper()
	ring := b.OpenKeys(t)
	payload, err := ring.Unseal(purpose, sealed, b.Now())
	if err == nil {
		payload, err = request.Expand(payload)
	}
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(payload, &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range change {
		if members[name], err = json.Marshal(value); err != nil {
			t.Fatal(err)
		}
	}
	if payload, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	again, err := ring.Seal(purpose, payload, b.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// TestUpgrade_RequestsAndCodesOfFormerVersionsWork: after an upgrade, users can finish the
// sign-in that they have begun, and clients can redeem the codes that they have received.
func TestUpgrade_RequestsAndCodesOfFormerVersionsWork(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		s := v.Get(t, b.AuthorizeURL("state", strings.Repeat("state ", 200)))
		former := resealed(t, b, "request", s.At.Query().Get("request"), nil)
		s = v.SignIn(t, v.Get(t, b.Issuer+"/authorize/next?request="+former), providertest.Alice, providertest.Password)
		s = v.Allow(t, s)
		if got := s.Response(t).Get("state"); got != strings.Repeat("state ", 200) {
			t.Errorf("the state came back as %.40q", got)
		}
		for redirect, status := range map[string]int{
			providertest.Callback: http.StatusOK, providertest.Callback + "x": http.StatusBadRequest, "": http.StatusBadRequest,
		} {
			code := v.CodeFromSession(t)
			former := resealed(t, b, "code", code, map[string]any{"u": redirect})
			providertest.WantStatus(t, b.TokenRequest(t, b.CodeForm(former)), status)
		}
	})
}
