package directory_test

import (
	"net/url"
	"slices"
	"testing"

	"signet/provider/directory"
	"signet/storage"
)

// FuzzRedirectURI checks that Go parses every accepted redirect URI as the rules do. A
// response may only be sent to the registered URI, or to another port of a loopback address.
func FuzzRedirectURI(f *testing.F) {
	for _, c := range badRedirectURIs {
		f.Add(c.uri, c.uri)
	}
	for _, uri := range []string{"https://app.example.com/cb", "http://127.0.0.1/cb", "http://[::1]:8080/cb?x=1", "com.example.app:/cb", "http://localhost"} {
		f.Add(uri, uri)
		f.Add(uri, uri+"/")
		f.Add(uri, uri+"@evil.example")
		f.Add("http://127.0.0.1/cb", "http://127.0.0.1:70000/cb")
		f.Add("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb")
	}
	f.Fuzz(func(t *testing.T, registered, asked string) {
		for _, kind := range []storage.ClientType{storage.Web, storage.SPA, storage.Native} {
			c := changedClient(kind, func(c *storage.Client) { c.Metadata.RedirectURIs = []string{registered} })
			if directory.CheckClient(c) != nil {
				continue
			}
			was, err := url.Parse(registered)
			if err != nil || was.Scheme == "" || was.Fragment != "" || was.User != nil {
				t.Fatalf("%s registered %q, which does not parse as expected: %v", kind, registered, err)
			}
			if !c.AllowsRedirect(registered) {
				t.Fatalf("AllowsRedirect of %s refuses %q, which is registered", kind, registered)
			}
			if asked == registered || !c.AllowsRedirect(asked) {
				continue
			}
			to, err := url.Parse(asked)
			if err != nil || kind != storage.Native || to.Scheme != "http" || to.Hostname() != was.Hostname() || to.User != nil ||
				!slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, to.Hostname()) || to.Path != was.Path || to.RawQuery != was.RawQuery {
				t.Fatalf("%s registered %q, but AllowsRedirect accepts %q", kind, registered, asked)
			}
		}
	})
}
