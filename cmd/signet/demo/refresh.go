package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// refresh exchanges the refresh token for new tokens (OIDC Core, section 12) and shows that
// the old one is not valid any more. If the provider refuses, the sign-in has ended, and the
// demo deletes its result.
func (d *relyingParty) refresh(w http.ResponseWriter, r *http.Request) {
	before := d.results.of(r)
	if before.refreshToken == "" {
		http.Redirect(w, r, Path, http.StatusSeeOther)
		return
	}
	after, err := d.refreshed(r.Context(), before)
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.ErrorCode == "invalid_grant":
		d.results.forget(r)
		clearCookie(w, resultCookie)
		d.fail(w, http.StatusBadRequest, err)
	case err != nil:
		d.fail(w, http.StatusBadGateway, err)
	default:
		d.results.replace(r, after)
		http.Redirect(w, r, Path, http.StatusSeeOther)
	}
}

func (d *relyingParty) refreshed(ctx context.Context, before result) (result, error) {
	issuer, client, err := d.discover(ctx)
	if err != nil {
		return result{}, err
	}
	old := &oauth2.Token{RefreshToken: before.refreshToken} // without an access token it counts as expired
	token, err := client.TokenSource(oidc.ClientContext(ctx, d.http), old).Token()
	if err != nil {
		return result{}, fmt.Errorf("refresh the tokens: %w", err)
	}
	after, err := d.verified(ctx, issuer, token)
	if err != nil {
		return result{}, err
	}
	// OIDC Core, section 12.2: the same subject, and the nonce of the first ID token or none.
	if after.subject != before.subject || (after.nonce != "" && after.nonce != before.nonce) {
		return result{}, errors.New("the new ID token is of another sign-in (sub or nonce differs)")
	}
	after.nonce = before.nonce
	after.page.Refreshed, err = d.introspected(ctx, before.refreshToken)
	return after, err
}

// introspect shows the provider's introspection response for the access token (RFC 7662).
func (d *relyingParty) introspect(w http.ResponseWriter, r *http.Request) {
	found := d.results.of(r)
	if found.accessToken != "" {
		answer, err := d.introspected(r.Context(), found.accessToken)
		if err != nil {
			d.fail(w, http.StatusBadGateway, err)
			return
		}
		found.page.Introspection = answer
		d.results.replace(r, found)
	}
	http.Redirect(w, r, Path, http.StatusSeeOther)
}
