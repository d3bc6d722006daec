package storage_test

import (
	"testing"

	"signet/storage"
)

// RU-01, RU-03, RU-04, RU-16: a redirect URI that differs in case, encoding, port,
// query or path segments does not match, and nothing falls back to a registered one.
func TestAllowsRedirect_ComparesByteForByte(t *testing.T) {
	client := storage.Client{Type: storage.Web, Metadata: storage.ClientMetadata{
		RedirectURIs: []string{"https://app.example.com/cb", "http://127.0.0.1:8000/cb"},
	}}
	for _, uri := range []string{
		"https://app.example.com/cb/", "https://app.example.com/cb?x=1", "https://app.example.com/cb#", "https://app.example.com/CB",
		"https://app.example.com/cb/../evil", "https://app.example.com/cb/%2e%2e/evil", "https://app.example.com/cb/.", "https://app.example.com/%63b",
		"HTTPS://app.example.com/cb", "https://APP.example.com/cb", "https://app.example.com:443/cb", "https://app.example.com", "",
		"http://127.0.0.1:8001/cb", "http://127.0.0.1/cb", // the port of a web client may not differ
	} {
		if client.AllowsRedirect(uri) {
			t.Errorf("%q was accepted as a registered redirect URI", uri)
		}
	}
}

// RU-06: a native client on loopback may use any port (RFC 8252, section 7.3).
func TestAllowsRedirect_OnlyPortOfNativeLoopbackMayDiffer(t *testing.T) {
	client := storage.Client{Type: storage.Native, Metadata: storage.ClientMetadata{
		RedirectURIs: []string{"http://127.0.0.1/cb", "http://[::1]:7/cb", "https://app.example.com/cb", "com.example.app:/cb"},
	}}
	for uri, want := range map[string]bool{
		"http://127.0.0.1/cb":               true,
		"http://127.0.0.1:1/cb":             true,
		"http://127.0.0.1:65535/cb":         true,
		"http://[::1]/cb":                   true,
		"http://[::1]:51004/cb":             true,
		"http://127.0.0.1:65536/cb":         false,
		"http://127.0.0.1:0/cb":             false,
		"http://127.0.0.1:080/cb":           false,
		"http://127.0.0.1:/cb":              false,
		"http://127.0.0.1:80:80/cb":         false,
		"http://127.0.0.1:8080":             false,
		"http://127.0.0.1:8080/":            false,
		"http://127.0.0.1:8080/cb/":         false,
		"http://127.0.0.1:8080/cb?x=1":      false,
		"http://127.0.0.1:8080/cb#x":        false,
		"http://127.0.0.1:8080@evil/cb":     false,
		"http://127.0.0.1:@evil.example/cb": false,
		"http://127.0.0.1.evil.example/cb":  false,
		"http://u@127.0.0.1:8080/cb":        false,
		"http://127.9.9.9:8080/cb":          false,
		"http://[::ffff:127.0.0.1]:8080/cb": false,
		"http://localhost:8080/cb":          false, // registered as an address, not as a name
		"https://127.0.0.1:8080/cb":         false,
		"https://app.example.com:8443/cb":   false,
		"com.example.app:8080/cb":           false,
	} {
		if got := client.AllowsRedirect(uri); got != want {
			t.Errorf("AllowsRedirect(%q) is %v, want %v", uri, got, want)
		}
	}
}

// RU-07: a scheme that a browser would run or open is refused even if a row of the
// database lists it.
func TestAllowsRedirect_RefusesRunnableSchemes(t *testing.T) {
	for _, uri := range []string{"javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "file:///x"} {
		client := storage.Client{Type: storage.Native, Metadata: storage.ClientMetadata{
			RedirectURIs: []string{uri}, PostLogoutRedirectURIs: []string{uri},
		}}
		if client.AllowsRedirect(uri) || client.AllowsPostLogoutRedirect(uri) {
			t.Errorf("%q was accepted because a row lists it", uri)
		}
	}
}

// RU-17: a post-logout redirect URI receives no code, and a redirect URI is no target
// after signing out.
func TestAllowsRedirect_SeparatesPostLogoutURIs(t *testing.T) {
	client := storage.Client{Type: storage.Web, Metadata: storage.ClientMetadata{
		RedirectURIs: []string{"https://app.example.com/callback"}, PostLogoutRedirectURIs: []string{"https://app.example.com/bye"},
	}}
	if !client.AllowsPostLogoutRedirect("https://app.example.com/bye") {
		t.Error("the registered post-logout redirect URI is refused")
	}
	if client.AllowsRedirect("https://app.example.com/bye") {
		t.Error("a post-logout redirect URI was accepted as a redirect URI")
	}
	if client.AllowsPostLogoutRedirect("https://app.example.com/callback") {
		t.Error("a redirect URI was accepted as a post-logout redirect URI")
	}
}
