package federation_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"signet/federation/federationtest"
)

// TestPretend_PagesAreStyledWithoutInlineCode opens every page of the pretend upstreams. Each must
// state that it is a pretend upstream, and have no style but the file that its policy allows.
func TestPretend_PagesAreStyledWithoutInlineCode(t *testing.T) {
	const back = "http://localhost:1/back"
	setup := federationtest.Setup{RedirectURIs: []string{back}}
	google, err := federationtest.StartGoogle(setup)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(google.Close)
	github, err := federationtest.StartGitHub(setup)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(github.Close)
	asked := func(id string, pairs ...string) string {
		v := url.Values{"client_id": {id}, "redirect_uri": {back}, "response_type": {"code"}, "code_challenge": {"x"}, "code_challenge_method": {"S256"}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return "?" + v.Encode()
	}
	atGoogle, atGitHub := google.URL+"/o/oauth2/v2/auth", github.URL+"/login/oauth/authorize"
	for name, c := range map[string]struct {
		at, says string
		post     url.Values
		status   int
	}{
		"accounts at Google":        {at: atGoogle + asked(google.ClientID), says: "Ada Example", status: http.StatusOK},
		"accounts at GitHub":        {at: atGitHub + asked(github.ClientID), says: "Octo Cat", status: http.StatusOK},
		"a foreign redirect URI":    {at: atGitHub + asked(github.ClientID, "redirect_uri", "http://evil.example/"), says: "redirect_uri_mismatch", status: http.StatusBadRequest},
		"a prompt that is unknown":  {at: atGoogle + asked(google.ClientID, "prompt", "<b>"), says: "Invalid prompt: <b>", status: http.StatusBadRequest},
		"an answer by form_post":    {at: atGoogle + asked(google.ClientID, "response_mode", "form_post"), says: "Continue", post: url.Values{"account": {"ada"}}, status: http.StatusOK},
		"a client that is not here": {at: atGoogle + asked("stranger"), says: "Error 400", status: http.StatusBadRequest},
	} {
		a, err := http.Get(c.at)
		if c.post != nil {
			a, err = http.PostForm(c.at, c.post)
		}
		if err != nil {
			t.Fatal(err)
		}
		wantStyled(t, name, a, c.status, c.says)
	}
}

// wantStyled checks that the page contains the text, states that it is part of signet dev, has no
// inline code, and uses the style sheet that its policy allows.
func wantStyled(t *testing.T, name string, a *http.Response, status int, says string) {
	t.Helper()
	policy := a.Header.Get("Content-Security-Policy")
	if a.StatusCode != status || !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s: got %d, policy %q", name, a.StatusCode, policy)
	}
	page, err := html.Parse(a.Body)
	a.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	text, style, inline := readPage(page)
	if len(inline) > 0 {
		t.Errorf("%s: inline code in %s", name, strings.Join(inline, ", "))
	}
	if !strings.Contains(text, "part of signet dev") || !strings.Contains(text, says) {
		t.Errorf("%s: the page has the text %s", name, text)
	}
	sheet, err := http.Get("http://" + a.Request.URL.Host + style)
	if err != nil {
		t.Fatal(err)
	}
	content, _ := io.ReadAll(sheet.Body)
	sheet.Body.Close()
	if sheet.Header.Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(string(content), "light-dark(") {
		t.Errorf("%s: the style sheet %s is %s", name, style, sheet.Header.Get("Content-Type"))
	}
}

// readPage returns the text of a page, the path of its style sheet, and the elements and
// attributes that contain scripts or styles.
func readPage(page *html.Node) (text, style string, inline []string) {
	for n := range page.Descendants() {
		if n.Type == html.TextNode {
			text += n.Data
		}
		if n.Data == "script" || n.Data == "style" {
			inline = append(inline, "<"+n.Data+">")
		}
		for _, at := range n.Attr {
			if at.Key == "style" || strings.HasPrefix(at.Key, "on") {
				inline = append(inline, "<"+n.Data+" "+at.Key+">")
			}
			if at.Key == "href" && strings.HasSuffix(at.Val, ".css") {
				style = at.Val
			}
		}
	}
	return text, style, inline
}
