package federationtest

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// pages contains the pages of a pretend upstream: the list of accounts, a refusal, and the form
// that posts the answer back. They have no script and no inline style; the style is in its own
// file.
var pages = template.Must(template.New("").Parse(`{{define "top"}}<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}} – pretend {{.Upstream}}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="` + stylePath + `"></head>
<body class="{{.Kind}}"><main><p class="label">Pretend {{.Upstream}}, part of signet dev</p>
<h1>{{.Title}}</h1>
{{end}}{{define "accounts"}}{{template "top" .}}<p class="soft">This is not {{.Upstream}}. Nothing you do here leaves this machine. Choose who you are:</p>
<form method="post" action="{{.Action}}"><ul>
{{range .Accounts}}<li><button id="account-{{.Key}}" name="account" value="{{.Key}}"><span>{{if .Name}}{{.Name}}{{else}}{{.Key}}{{end}}</span>{{if .Email}}<span class="soft">{{.Email}}</span>{{end}}</button></li>
{{end}}</ul><button class="middle" id="deny" name="deny" value="1">Cancel</button>
</form></main></body></html>
{{end}}{{define "refused"}}{{template "top" .}}<p role="alert">{{.Text}}</p><p class="soft">The real {{.Upstream}} refuses it in the same way.</p></main></body></html>
{{end}}{{define "back"}}{{template "top" .}}<p class="soft">The answer is sent back with a form.</p>
<form method="post" action="{{.Action}}">{{range $name, $values := .Fields}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">{{end}}{{end}}
<button class="middle" id="back">Continue</button></form></main></body></html>
{{end}}`))

// style is the style sheet of the pages, served at stylePath.
//
//go:embed pretend.css
var style []byte

const stylePath = "/pretend.css"

// pagePolicy has no form-action: browsers apply it to all redirects after a form, and these
// lead to applications of any origin.
const pagePolicy = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"

// show writes one of the pages.
func (u *upstream) show(w http.ResponseWriter, status int, name, title string, model map[string]any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	model["Upstream"], model["Kind"], model["Title"] = u.name, strings.ToLower(u.name), title
	pages.ExecuteTemplate(w, name, model)
}

// refuse shows why there is no sign-in page, with the text of the real upstream.
func (u *upstream) refuse(w http.ResponseWriter, text string) {
	u.show(w, http.StatusBadRequest, "refused", "Access blocked", map[string]any{"Text": "Error 400: " + text})
}

func serveStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(style)
}

// authorize serves the sign-in page. It makes the checks that real upstreams make before they
// show a page. reply returns the upstream's own parameters of the callback, which are also
// added to a denial.
func (u *upstream) authorize(reply func(asked url.Values, a Account) url.Values) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.Query()
		u.mu.Lock()
		u.lastAuthorization = asked
		u.mu.Unlock()
		if asked.Get("client_id") != u.ClientID || !slices.Contains(u.setup.RedirectURIs, asked.Get("redirect_uri")) {
			u.refuse(w, "redirect_uri_mismatch")
			return
		}
		if asked.Get("response_type") != "code" || asked.Get("code_challenge_method") != "S256" || asked.Get("code_challenge") == "" {
			u.sendBack(w, r, asked, url.Values{"error": {"invalid_request"}})
			return
		}
		if r.Method != http.MethodPost {
			u.show(w, http.StatusOK, "accounts", "Sign in with "+u.name, map[string]any{"Action": r.URL.RequestURI(), "Accounts": u.setup.Accounts})
			return
		}
		account, known := u.account(r.PostFormValue("account"))
		back := url.Values{"error": {"access_denied"}}
		if known {
			back = url.Values{"code": {u.issueCode(account, asked)}}
		}
		if reply != nil {
			for name, values := range reply(asked, account) {
				back[name] = values
			}
		}
		u.sendBack(w, r, asked, back)
	}
}

// sendBack sends the browser to the callback by a redirect, or by a form for form_post.
func (u *upstream) sendBack(w http.ResponseWriter, r *http.Request, asked, back url.Values) {
	if !back.Has("state") {
		back.Set("state", asked.Get("state"))
	}
	if asked.Get("response_mode") == "form_post" {
		u.show(w, http.StatusOK, "back", "Back to where you came from", map[string]any{"Action": asked.Get("redirect_uri"), "Fields": back})
		return
	}
	target, err := url.Parse(asked.Get("redirect_uri"))
	if err != nil {
		http.Error(w, "redirect_uri", http.StatusBadRequest)
		return
	}
	query := target.Query()
	for name, values := range back {
		if values[0] != "" {
			query[name] = values
		}
	}
	target.RawQuery = query.Encode()
	http.Redirect(w, r, target.String(), http.StatusFound)
}

// ChooseAccount acts as the browser: it opens the authorization URL, chooses an account ("" to
// cancel), and returns the parameters of the callback.
func ChooseAccount(client *http.Client, authorizationURL, account string) (url.Values, error) {
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	shown, err := own.Get(authorizationURL)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(shown.Body)
	shown.Body.Close()
	if err != nil {
		return nil, err
	}
	if shown.StatusCode == http.StatusFound {
		return redirectQuery(shown)
	}
	if shown.StatusCode != http.StatusOK || !strings.Contains(string(text), `id="deny"`) {
		return nil, fmt.Errorf("no sign-in page: status %d: %s", shown.StatusCode, text)
	}
	form := url.Values{"account": {account}}
	if account == "" {
		form = url.Values{"deny": {"1"}}
	}
	res, err := own.PostForm(authorizationURL, form)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		return formFields(res.Body)
	}
	return redirectQuery(res)
}

func redirectQuery(res *http.Response) (url.Values, error) {
	location, err := res.Location()
	if err != nil {
		return nil, err
	}
	return location.Query(), nil
}
