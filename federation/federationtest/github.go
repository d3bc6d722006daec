package federationtest

import (
	"net/http"
	"net/url"
	"strings"
)

// GitHub is a pretend GitHub with the paths of an Enterprise server: the pages are at its
// URL, the API is below /api/v3.
type GitHub struct{ *upstream }

// StartGitHub starts a pretend GitHub.
func StartGitHub(setup Setup) (*GitHub, error) {
	g := &GitHub{}
	var err error
	g.upstream, err = start("GitHub", "Iv1.8a61f9b3a7aba766", GitHubAccounts(), setup, func(u *upstream) {
		g.upstream = u
		u.mux.HandleFunc("/login/oauth/authorize", u.authorize(nil))
		u.mux.HandleFunc("POST /login/oauth/access_token", g.accessToken)
		u.mux.HandleFunc("GET /api/v3/user", g.api(g.user))
		u.mux.HandleFunc("GET /api/v3/user/emails", g.api(g.emails))
		u.mux.HandleFunc("GET /api/v3/meta", g.meta)
	})
	return g, err
}

// accessToken always answers with status 200, as GitHub does. The answer is form-encoded
// unless the request accepts JSON.
func (g *GitHub) accessToken(w http.ResponseWriter, r *http.Request) {
	answer := g.exchange(r)
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		writeJSON(w, http.StatusOK, answer)
		return
	}
	form := url.Values{}
	for name, value := range answer {
		form.Set(name, value)
	}
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	w.Write([]byte(form.Encode()))
}

func (g *GitHub) exchange(r *http.Request) map[string]string {
	if r.ParseForm() != nil || !g.isAuthenticated(r) {
		return map[string]string{
			"error": "incorrect_client_credentials", "error_description": "The client_id and/or client_secret passed are incorrect.",
			"error_uri": "https://docs.github.com/apps/",
		}
	}
	was, access, refused := g.redeem(r.PostForm)
	if refused != "" {
		return map[string]string{
			"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired.", "error_uri": "https://docs.github.com/apps/",
		}
	}
	scope := strings.ReplaceAll(was.scope, " ", ",")
	if was.account.NoScope {
		scope = "read:user"
	}
	return map[string]string{"access_token": access, "token_type": "bearer", "scope": scope}
}

// api makes the checks that GitHub's API makes before it reads the path: the request has a
// user agent, and its token is not revoked.
func (g *GitHub) api(serve func(http.ResponseWriter, Account)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("User-Agent") == "" {
			http.Error(w, "Request forbidden by administrative rules.", http.StatusForbidden)
			return
		}
		was, known := g.byAccessToken(r)
		if !known || was.account.Revoked {
			writeJSON(w, http.StatusUnauthorized, map[string]any{"message": "Bad credentials", "status": "401"})
			return
		}
		serve(w, was.account)
	}
}

func (g *GitHub) user(w http.ResponseWriter, a Account) {
	var email any // null unless the user shows an address on the profile
	if a.Email != "" {
		email = a.Email
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"id": a.ID, "login": a.Username, "name": a.Name, "email": email, "node_id": "MDQ6VXNlcjE=", "type": "User",
		"avatar_url": "https://avatars.githubusercontent.com/u/1?v=4",
	})
}

func (g *GitHub) emails(w http.ResponseWriter, a Account) {
	if a.NoScope {
		writeJSON(w, http.StatusNotFound, map[string]any{"message": "Not Found", "status": "404"})
		return
	}
	writeJSON(w, http.StatusOK, a.Emails)
}

func (g *GitHub) meta(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"verifiable_password_authentication": true})
}
