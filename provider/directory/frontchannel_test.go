package directory_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/storage"
)

// OIDC Front-Channel Logout, section 2: The URI has the scheme, host and port of a redirect URI.
func TestCheckClient_FrontchannelLogoutIsAtOriginOfRedirectURI(t *testing.T) {
	for uri, want := range map[string]string{
		"https://app.example.com/out":          "",
		"https://app.example.com/out?tenant=7": "",
		"https://app.example.com":              "",
		"https://other.example.com/out":        "must have the scheme, host and port",
		"https://app.example.com:8443/out":     "must have the scheme, host and port",
		"https://app.example.com/out?sid=1":    "has the query parameter iss or sid",
		"https://app.example.com/out?iss=1":    "has the query parameter iss or sid",
		"https://app.example.com/out?a=%zz":    "has an invalid query",
		"https://app.example.com/out#frame":    "has a fragment",
		"com.example.app:/out":                 "must be https",
	} {
		got := problemsOf(changedClient(storage.Web, func(c *storage.Client) { c.Metadata.FrontchannelLogoutURI = uri }))
		if (got == "") != (want == "") || want != "" && !(strings.HasPrefix(got, "frontchannel_logout_uri: ") && strings.Contains(got, want)) {
			t.Errorf("%s: got %q, want %q", uri, got, want)
		}
	}
}

// A value without an effect is refused: while the setting is off, no page opens the URI. A value from
// a time when it was on may stay.
func TestFrontchannelLogout_IsRefusedWhileTheSettingIsOff(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		const uri = "https://app.example.com/out"
		set := func(c *storage.Client) {
			c.Metadata.FrontchannelLogoutURI, c.Metadata.FrontchannelSession = uri, true
		}
		wantRefused := func(act string, err error) {
			t.Helper()
			refused, is := errors.AsType[*directory.ClientError](err)
			if !is || len(refused.Problems) != 2 || refused.Problems[0].Code != directory.NoEffect || !strings.Contains(err.Error(), "frontchannel_logout") {
				t.Errorf("%s: got %v, want two fields refused with %s", act, err, directory.NoEffect)
			}
		}
		_, _, refused := h.CreateClient(t.Context(), changedClient(storage.Web, set), storage.Origin{})
		wantRefused("create", refused)
		made, _ := h.create(t, changedClient(storage.Web, nil))
		revise := func(d *directory.Directory, change func(*storage.Client)) error {
			_, err := d.ReviseClient(t.Context(), made.ID, func(c *storage.Client) error { change(c); return nil }, storage.Origin{})
			return err
		}
		wantRefused("revise", revise(h.Directory, set))
		on := directory.New(directory.Deps{DB: h.db, FrontchannelLogout: true, Now: func() time.Time { return noon }})
		if err := revise(on, set); err != nil {
			t.Fatal(err)
		}
		stored, err := h.db.Client(t.Context(), made.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, withSetting := h.WithoutEffect(stored), on.WithoutEffect(stored); len(got) != 2 || len(withSetting) != 0 {
			t.Errorf("fields without effect: got %v, and %v with the setting, want 2 and none", got, withSetting)
		}
		if err := revise(h.Directory, func(c *storage.Client) { c.Name = "Another name" }); err != nil {
			t.Errorf("another field, with a stored value: got %v, want no error", err)
		}
		if err := revise(h.Directory, func(c *storage.Client) {
			c.Metadata.FrontchannelLogoutURI, c.Metadata.FrontchannelSession = "", false
		}); err != nil {
			t.Errorf("removal: got %v, want no error", err)
		}
	})
}
