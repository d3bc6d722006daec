package firstparty

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

// The test calls fail itself, because no request leads to this error yet: the password is the
// only factor.
func TestFirstParty_InteractionRequiredHasContinueAddress(t *testing.T) {
	w := httptest.NewRecorder()
	(&Handler{}).fail(w, httptest.NewRequest(http.MethodPost, "/refresh", nil), &interactionRequired{continueAt: "https://id.example.com/login?return_to=%2F"})
	var got map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusForbidden || got["error"] != "interaction_required" || got["error_description"] == "" || got["continue"] != "https://id.example.com/login?return_to=%2F" || len(got) != 3 {
		t.Errorf("got %d %v", w.Code, got)
	}
}
