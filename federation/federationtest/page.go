package federationtest

import (
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

var page = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Upstream}} (pretend)</title></head>
<body><main><h1>Sign in with {{.Upstream}} (pretend)</h1>
<p>This is not {{.Upstream}}. Nothing you do here leaves this machine.</p>
<form method="post" action="{{.Action}}">
{{range .Accounts}}<p><button id="account-{{.Key}}" name="account" value="{{.Key}}">{{if .Name}}{{.Name}}{{else}}{{.Key}}{{end}}{{if .Email}} &lt;{{.Email}}&gt;{{end}}</button></p>
{{end}}<p><button id="deny" name="deny" value="1">Cancel</button></p>
</form></main></body></html>
`))

// authorize is the sign-in page. It checks what the real ones check before they
// show anything; reply adds to the answer what this upstream adds, to a denial too.
func (u *upstream) authorize(reply func(asked url.Values, a Account) url.Values) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.Query()
		u.mu.Lock()
		u.asked = asked
		u.mu.Unlock()
		if asked.Get("client_id") != u.ClientID || !slices.Contains(u.setup.RedirectURIs, asked.Get("redirect_uri")) {
			http.Error(w, "Error 400: redirect_uri_mismatch", http.StatusBadRequest)
			return
		}
		if asked.Get("response_type") != "code" || asked.Get("code_challenge_method") != "S256" || asked.Get("code_challenge") == "" {
			u.sendBack(w, r, asked, url.Values{"error": {"invalid_request"}})
			return
		}
		if r.Method != http.MethodPost {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			page.Execute(w, map[string]any{"Upstream": u.name, "Action": r.URL.RequestURI(), "Accounts": u.setup.Accounts})
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

// sendBack returns the browser by redirect or, if asked to, by a form.
func (u *upstream) sendBack(w http.ResponseWriter, r *http.Request, asked, back url.Values) {
	if !back.Has("state") {
		back.Set("state", asked.Get("state"))
	}
	if asked.Get("response_mode") == "form_post" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		formPost.Execute(w, map[string]any{"Action": asked.Get("redirect_uri"), "Fields": back})
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

var formPost = template.Must(template.New("").Parse(`<!doctype html><title>Back</title>
<form method="post" action="{{.Action}}">{{range $name, $values := .Fields}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">{{end}}{{end}}
<button id="back">Continue</button></form>`))

// Choose plays the browser: it opens the URL that a connector made, picks an
// account ("" to cancel) and returns what the upstream sends back.
func Choose(client *http.Client, authorizationURL, account string) (url.Values, error) {
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
		return query(shown)
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
		return fields(res.Body)
	}
	return query(res)
}

func query(res *http.Response) (url.Values, error) {
	location, err := res.Location()
	if err != nil {
		return nil, err
	}
	return location.Query(), nil
}
