package demo

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/templates"
)

// redeem exchanges the code for tokens and verifies them.
func (d *relyingParty) redeem(ctx context.Context, code string, f flow) (result, error) {
	issuer, client, err := d.discover(ctx)
	if err != nil {
		return result{}, err
	}
	token, err := client.Exchange(oidc.ClientContext(ctx, d.http), code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return result{}, fmt.Errorf("redeem the code: %w", err)
	}
	found, err := d.verified(ctx, issuer, token)
	if err == nil && subtle.ConstantTimeCompare([]byte(found.nonce), []byte(f.Nonce)) != 1 {
		err = errors.New("the ID token is of another sign-in (nonce differs)")
	}
	return found, err
}

// verified checks the tokens of one token response (OIDC Core, section 3.1.3.7), reads
// /userinfo, and returns everything that the page shows. It does not compare the nonce; the
// caller does.
func (d *relyingParty) verified(ctx context.Context, issuer *oidc.Provider, token *oauth2.Token) (result, error) {
	ctx = oidc.ClientContext(ctx, d.http)
	raw, _ := token.Extra("id_token").(string)
	id, err := issuer.VerifierContext(ctx, &oidc.Config{ClientID: ClientID}).Verify(ctx, raw)
	if err != nil {
		return result{}, fmt.Errorf("verify the ID token: %w", err)
	}
	bound := ""
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return result{}, fmt.Errorf("bind the access token to the ID token: %w", err)
		}
		bound = "; at_hash matches the access token"
	}
	// The API checks the audience of the access token: here the API is /userinfo.
	if _, err := issuer.VerifierContext(ctx, &oidc.Config{SkipClientIDCheck: true}).Verify(ctx, token.AccessToken); err != nil {
		return result{}, fmt.Errorf("verify the access token: %w", err)
	}
	user, err := issuer.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return result{}, fmt.Errorf("ask /userinfo: %w", err)
	}
	if user.Subject != id.Subject {
		return result{}, errors.New("/userinfo describes another subject than the ID token") // OIDC Core, section 5.3.2
	}
	page, err := describeTokens(raw, token.AccessToken, bound, user)
	if token.RefreshToken != "" {
		page.Refresh = Path + "/refresh"
	}
	return result{
		page: page, subject: id.Subject, nonce: id.Nonce,
		idToken: raw, accessToken: token.AccessToken, refreshToken: token.RefreshToken,
	}, err
}

func describeTokens(idToken, accessToken, bound string, user *oidc.UserInfo) (templates.Demo, error) {
	var claims map[string]any
	if err := user.Claims(&claims); err != nil {
		return templates.Demo{}, fmt.Errorf("read /userinfo: %w", err)
	}
	shown, err := json.MarshalIndent(claims, "", "  ")
	if err != nil {
		return templates.Demo{}, fmt.Errorf("show /userinfo: %w", err)
	}
	id, err := decodeToken("ID token", idToken, "Signature, issuer, audience, nonce and expiry verified by go-oidc"+bound+".")
	if err != nil {
		return templates.Demo{}, err
	}
	access, err := decodeToken("Access token", accessToken, "Signature, issuer and expiry verified by go-oidc. An API checks the audience, too.")
	if err != nil {
		return templates.Demo{}, err
	}
	return templates.Demo{
		SignedIn: true, Email: user.Email, UserInfo: string(shown), Tokens: []templates.DemoToken{id, access},
	}, nil
}

// decodeToken returns the readable content of a JWT. It verifies nothing.
func decodeToken(name, raw, checked string) (templates.DemoToken, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return templates.DemoToken{}, fmt.Errorf("decode the %s: not a JWT", name)
	}
	var shown [2]bytes.Buffer
	for i := range shown {
		plain, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Indent(&shown[i], plain, "", "  ")
		}
		if err != nil {
			return templates.DemoToken{}, fmt.Errorf("decode the %s: %w", name, err)
		}
	}
	return templates.DemoToken{Name: name, Checked: checked, Header: shown[0].String(), Claims: shown[1].String(), Raw: raw}, nil
}
