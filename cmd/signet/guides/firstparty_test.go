package guides_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
)

// TestFirstPartyApps_Documents sends the JSON request of docs/first-party-apps.md, and compares
// the members of the session that Signet answers with those that the page shows.
func TestFirstPartyApps_Documents(t *testing.T) {
	t.Parallel()
	var documents []string
	for _, b := range partsOf(t, "docs/first-party-apps.md", read(t, "docs/first-party-apps.md")) {
		if b.run == "first-party app" {
			documents = append(documents, b.text)
		}
	}
	if len(documents) != 2 {
		t.Fatalf("the page shows %d documents", len(documents))
	}
	const origin = "https://app.example.com"
	i := signettest.NewInstance(t)
	i.Env = append(i.Env, "SIGNET_FIRST_PARTY_ORIGINS="+origin)
	i.Command(t, "", nil, "user", "update", i.Email, "--name", "Ada Lovelace", "--role", "dev", "--json")
	i.CreateClient(t, "--id", "shop", "--type", "spa", "--first-party", "--redirect-uri", i.Issuer+"/", "--scope", "openid profile email roles")
	i.Serve(t)

	body := strings.NewReplacer("ada@example.com", i.Email, "correct horse battery staple", i.Password).Replace(documents[0])
	login, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.Issuer+"/login", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	login.Header.Set("Content-Type", "application/json")
	login.Header.Set("Origin", origin)
	answer, err := http.DefaultClient.Do(login)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("POST /login: %s", answer.Status)
	}
	session, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.Issuer+"/session", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range answer.Cookies() {
		session.AddCookie(cookie)
	}
	if answer, err = http.DefaultClient.Do(session); err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got, shown map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(documents[1]), &shown); err != nil {
		t.Fatal(err)
	}
	if got, want := members(got), members(shown); !slices.Equal(got, want) {
		t.Errorf("GET /session has %v, the page shows %v", got, want)
	}
}

// members names the members of a document and of its objects, sorted, each with its type.
func members(document map[string]any) []string {
	var names []string
	for name, value := range document {
		kind := "text"
		switch value := value.(type) {
		case map[string]any:
			for _, inner := range members(value) {
				names = append(names, name+"."+inner)
			}
			continue
		case []any:
			kind = "list"
		case bool:
			kind = "boolean"
		case float64:
			kind = "number"
		}
		names = append(names, name+" "+kind)
	}
	slices.Sort(names)
	return names
}
