package parties_test

import (
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
	"signet/storage"
)

// TestDevice_ClientLibraries lets two devices sign in, on openid-client with a real browser, and
// on golang.org/x/oauth2.
func TestDevice_ClientLibraries(t *testing.T) {
	i := signettest.NewInstance(t)
	client := i.CreateClient(t, "--type", "native", "--response-type", "", "--grant-type", storage.GrantDevice, "--grant-type", storage.GrantRefresh)
	i.Serve(t)
	t.Run("openid-client", func(t *testing.T) {
		var saw struct {
			Code, Shown, Subject, Scope, Again string
			Complaints                         []string
		}
		signettest.RunInBrowser(t, "deviceparty.mjs", map[string]any{
			"issuer": i.Issuer, "email": i.Email, "password": i.Password, "client_id": client.ID,
		}, &saw)
		if saw.Shown != saw.Code || saw.Subject == "" || saw.Scope != "openid offline_access" || saw.Again != "invalid_grant" {
			t.Errorf("the device saw %+v", saw)
		}
		signettest.RefuseComplaints(t, saw.Complaints)
	})
	t.Run("golang.org/x/oauth2", func(t *testing.T) {
		provider, err := oidc.NewProvider(t.Context(), i.Issuer)
		if err != nil {
			t.Fatal(err)
		}
		config := oauth2.Config{ClientID: client.ID, Endpoint: provider.Endpoint(), Scopes: []string{"openid"}}
		waiting, err := config.DeviceAuth(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		browser := signettest.NewFormBrowser(t)
		browser.Visit(waiting.VerificationURI)
		browser.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
		browser.Send("device", "", map[string]string{"user_code": waiting.UserCode})
		browser.Click("allow")
		waiting.Interval = 1 // the library waits before its first poll
		token, err := config.DeviceAccessToken(t.Context(), waiting)
		if err != nil {
			t.Fatal(err)
		}
		if raw, _ := token.Extra("id_token").(string); raw == "" {
			t.Error("no ID token")
		} else if _, err := provider.Verifier(&oidc.Config{ClientID: client.ID}).Verify(t.Context(), raw); err != nil {
			t.Error(err)
		}
	})
}
