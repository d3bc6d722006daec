package api_test

import (
	"net/http"
	"strings"
	"testing"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// TestConnectors_ListAndCheck lists the connectors of the settings and checks one that works and one
// that does not. No answer has a secret, and a caller that only reads makes the server call nobody.
func TestConnectors_ListAndCheck(t *testing.T) {
	up, upstreams := providertest.WithUpstreams(t)
	b := providertest.StartOn(t, storagetest.SQLite(t), upstreams)
	o, check := b.Operator(t, storage.ScopeAdminAll), answerCheck(t, b)
	list := o.Call(t, http.MethodGet, "/connectors", "")
	check(t, list)
	google := list.JSON(t)["items"].([]any)[0].(map[string]any)
	if google["id"] != "google" || google["redirect_uri"] == nil || google["client_id"] == "" {
		t.Errorf("got %s", list.Body)
	}
	works := o.Call(t, http.MethodPost, "/connectors/google/check", "")
	check(t, works)
	if got := works.JSON(t); got["ok"] != true || got["issuer"] != up.Google.URL {
		t.Errorf("got %s", works.Body)
	}
	up.Google.Close()
	fails := o.Call(t, http.MethodPost, "/connectors/google/check", "")
	check(t, fails)
	if got := fails.JSON(t); fails.StatusCode != http.StatusOK || got["ok"] != false || got["code"] != "upstream_unreachable" {
		t.Errorf("got %d %s", fails.StatusCode, fails.Body)
	}
	for _, a := range []providertest.Answer{list, works, fails} {
		if strings.Contains(a.Body, "secret\"") {
			t.Errorf("the answer has a secret: %s", a.Body)
		}
	}
	o.Call(t, http.MethodPost, "/connectors/nobody/check", "").WantProblem(t, "an unknown connector", http.StatusNotFound, "not_found", "")
	b.Operator(t, storage.ScopeAdminRead).Call(t, http.MethodPost, "/connectors/google/check", "").WantProblem(t, "a reader", http.StatusForbidden, "insufficient_scope", "")
}
