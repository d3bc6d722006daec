package web

import (
	"errors"
	"net/http"
)

var errOrigin = errors.New("the Origin header names another origin than the issuer")

// checkOrigin refuses a form that another origin has sent. Engines that send
// Sec-Fetch-Site are judged by it. Of the others an Origin must be the issuer's,
// scheme and port included: the standard library would compare its host with the
// one that the request names, which lets in the http twin of an https issuer and
// whoever can set both. Engines that send neither are told apart by tickets.
func (s *Site) checkOrigin(r *http.Request) error {
	origin := r.Header.Get("Origin")
	old := r.Header.Get("Sec-Fetch-Site") == "" && origin != ""
	if old && r.Method == http.MethodPost && origin != s.Issuer.Scheme+"://"+s.Issuer.Host {
		return errOrigin
	}
	return s.cross.Check(r)
}
