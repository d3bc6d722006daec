// Command zitadel is a relying party on package rp of zitadel/oidc, with its defaults.
// parties_test.go documents the pages of its site.
//
//	zitadel ISSUER CLIENT_ID CLIENT_SECRET PORT
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

type tokens = oidc.Tokens[*oidc.IDTokenClaims]

// site supports one visitor and holds the tokens of this visitor.
type site struct {
	party  rp.RelyingParty
	origin string
	tokens *tokens
}

func main() {
	origin := "http://127.0.0.1:" + os.Args[4]
	party, err := rp.NewRelyingPartyOIDC(context.Background(), os.Args[1], os.Args[2], os.Args[3], origin+"/callback", []string{"openid", "email"})
	if err != nil {
		log.Fatal(err)
	}
	s := &site{party: party, origin: origin}
	http.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, rp.AuthURL("a state", party), http.StatusFound)
	})
	http.HandleFunc("/callback", s.callback)
	http.HandleFunc("/me", s.me)
	http.HandleFunc("/refresh", s.refresh)
	http.HandleFunc("/logout", s.logout)
	http.HandleFunc("/bye", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"said": "Until next time."}, nil)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[4], nil))
}

func (s *site) callback(w http.ResponseWriter, r *http.Request) {
	exchanged, err := rp.CodeExchange[*oidc.IDTokenClaims](r.Context(), r.FormValue("code"), s.party)
	if err != nil {
		answer(w, nil, err)
		return
	}
	s.tokens = exchanged
	http.Redirect(w, r, "/me", http.StatusFound)
}

func (s *site) me(w http.ResponseWriter, r *http.Request) {
	if s.tokens == nil {
		http.Error(w, `{"error":"nobody is signed in"}`, http.StatusUnauthorized)
		return
	}
	info, err := rp.Userinfo[*oidc.UserInfo](r.Context(), s.tokens.AccessToken, s.tokens.TokenType, s.tokens.IDTokenClaims.Subject, s.party)
	if err != nil {
		answer(w, nil, err)
		return
	}
	answer(w, map[string]any{"email": info.Email}, nil)
}

func (s *site) refresh(w http.ResponseWriter, r *http.Request) {
	next, err := rp.RefreshTokens[*oidc.IDTokenClaims](r.Context(), s.party, s.tokens.RefreshToken, "", "")
	if err != nil {
		answer(w, nil, err)
		return
	}
	before := s.tokens.RefreshToken
	s.tokens = next
	answer(w, map[string]any{"rotated": next.RefreshToken != before}, nil)
}

// logout redirects the browser to the provider. It does not use rp.EndSession, which calls the
// provider from this process, without the session cookie of the browser.
func (s *site) logout(w http.ResponseWriter, r *http.Request) {
	target := s.party.GetEndSessionEndpoint() + "?id_token_hint=" + s.tokens.IDToken + "&post_logout_redirect_uri=" + s.origin + "/bye"
	s.tokens = nil
	http.Redirect(w, r, target, http.StatusFound)
}

func answer(w http.ResponseWriter, body map[string]any, err error) {
	if err != nil {
		log.Print(err)
		w.WriteHeader(http.StatusInternalServerError)
		body = map[string]any{"error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(body)
}
