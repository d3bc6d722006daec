package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"signet/provider/web"
	"signet/static"
	"signet/templates"
	"signet/templates/words"
)

// Only a link that begins a new sign-in says "start again".
func TestProblem_LinkTextFitsTarget(t *testing.T) {
	for _, base := range []string{"", "/auth"} {
		issuer, err := url.Parse("https://id.example.com" + base)
		if err != nil {
			t.Fatal(err)
		}
		files, err := static.New(base)
		if err != nil {
			t.Fatal(err)
		}
		pages, err := templates.New(files)
		if err != nil {
			t.Fatal(err)
		}
		site, err := web.NewSite(issuer, pages)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]string{
			"/login?request=x": "Start again", "/login?return_to=%2Faccount": "Start again", "/authorize?client_id=app": "Start again", "/authorize/next?request=x": "Start again",
			"/account": "Go back", "/account/identities": "Go back", "/account/identities?done=linked": "Go back", "/admin/keys": "Go back", "/end_session": "Go back", "/": "Start page",
		} {
			for named, text := range map[words.Sentence]string{{}: want, words.Say("admin-keys.heading"): "Signing keys"} {
				w := httptest.NewRecorder()
				site.Fail(w, httptest.NewRequest(http.MethodGet, base+"/", nil), &web.Problem{Status: http.StatusConflict, Code: "x", Title: words.Say("common-error.stale.title"), StartURL: base + path, StartText: named})
				if !strings.Contains(w.Body.String(), ">"+text+"</a>") {
					t.Errorf("link to %s%s with StartText %q: want the text %q in\n%s", base, path, named, text, w.Body)
				}
			}
		}
	}
}
