package directory_test

import (
	"slices"
	"strings"
	"testing"

	"signet/provider/directory"
	"signet/storage"
)

// uriMembers are all fields of a client with web URIs.
var uriMembers = map[string]func(c *storage.Client, uri string){
	"redirect_uris":             func(c *storage.Client, uri string) { c.Metadata.RedirectURIs = []string{uri} },
	"post_logout_redirect_uris": func(c *storage.Client, uri string) { c.Metadata.PostLogoutRedirectURIs = []string{uri} },
	"client_uri":                func(c *storage.Client, uri string) { c.Metadata.ClientURI = uri },
	"logo_uri":                  func(c *storage.Client, uri string) { c.Metadata.LogoURI = uri },
	"policy_uri":                func(c *storage.Client, uri string) { c.Metadata.PolicyURI = uri },
	"tos_uri":                   func(c *storage.Client, uri string) { c.Metadata.TosURI = uri },
	"jwks_uri": func(c *storage.Client, uri string) {
		c.Metadata.TokenEndpointAuthMethod, c.Metadata.JWKSURI = storage.AuthPrivateKey, uri
	},
	"initiate_login_uri":     func(c *storage.Client, uri string) { c.Metadata.InitiateLoginURI = uri },
	"backchannel_logout_uri": func(c *storage.Client, uri string) { c.Metadata.BackchannelLogoutURI = uri },
	"frontchannel_logout_uri": func(c *storage.Client, uri string) {
		c.Metadata.FrontchannelLogoutURI = uri
		if origin := storage.OriginOf(uri); origin != "" && !slices.Contains(badHosts, uri) {
			c.Metadata.RedirectURIs = []string{origin + "/callback"}
		}
	},
	"allow_origins": func(c *storage.Client, uri string) { c.Origins = []string{strings.TrimSuffix(uri, "/")} },
	"resources":     func(c *storage.Client, uri string) { c.Resources = []string{uri} },
	"audiences":     func(c *storage.Client, uri string) { c.Audiences = []string{uri} },
}

// badHosts are URIs with an invalid host, or with a host that browsers spell differently.
var badHosts = []string{
	"https://-/", "https://a..b/", "https://.a/", "https://-a.example/", "https://a-.example/", "https://a.example./", "https://a.example:443/", "https://a.example:0443/", "https://a.example:/",
	"https://xn--/", "https://xn--a.example/", "https://xn--bcher-kv.example/", "https://127.1/", "https://0x7f.1/", "https://2130706433/", "https://0177.0.0.1/", "https://1.2.3.4.5/", "https://a.0x1/",
	"https://[::1%25eth0]/", "https://[0:0::1]/", "https://[::ffff:127.0.0.1]/", "http://localhost:80/", "https://" + strings.Repeat("a", 64) + ".example/", "https://" + strings.Repeat("a.", 127) + "com/",
	"https://u@a.example/", "https://A.example/", "https://*.example/", "https://%61.example/",
}

func TestCheckClient_BadHostIsRefusedInEveryField(t *testing.T) {
	for member, set := range uriMembers {
		for _, uri := range badHosts {
			problems := problemsOf(changedClient(storage.Web, func(c *storage.Client) { set(c, uri) }))
			if !strings.HasPrefix(problems, member+": ") || strings.Contains(problems, "\n") {
				t.Errorf("%s %s: got %q, want one problem of this field", member, uri, problems)
			}
		}
		shown := slices.Contains([]string{"policy_uri", "tos_uri", "initiate_login_uri"}, member)
		for _, uri := range []string{"https://a.example/", "https://intranet/", "https://xn--bcher-kva.example:8443/", "https://my_app.example/", "https://192.0.2.1/", "https://[2001:db8::1]:8443/", "http://localhost:3000/", "http://127.0.0.1/"} {
			if err := directory.CheckClient(changedClient(storage.Web, func(c *storage.Client) { set(c, uri) })); err != nil && !(shown && strings.HasPrefix(uri, "http:")) {
				t.Errorf("%s %s: got %v, want no error", member, uri, err)
			} else if err == nil && shown && strings.HasPrefix(uri, "http:") {
				t.Errorf("%s %s: got no error, but pages only link to https", member, uri)
			}
		}
	}
}

func TestCheckClient_NativeSchemeIsReverseDomain(t *testing.T) {
	for uri, good := range map[string]bool{"com.example.app:/cb": true, "com.example.app-2:/cb": true, "com..app:/cb": false, "com.example.:/cb": false} {
		err := directory.CheckClient(changedClient(storage.Native, func(c *storage.Client) { c.Metadata.RedirectURIs = []string{uri} }))
		if (err == nil) != good {
			t.Errorf("%s: got %v, want valid: %v", uri, err, good)
		}
	}
}

// TestCheckClientChange_StoredInvalidValueMayStay: other fields of a client with an old,
// invalid redirect URI can be changed, and its responses are still sent to the URI. A new
// invalid URI is refused.
func TestCheckClientChange_StoredInvalidValueMayStay(t *testing.T) {
	const old, weak = "https://app.example.com:443/cb", `{"keys":[{"kty":"oct","k":"AAAA"}]}`
	before := changedClient(storage.Web, func(c *storage.Client) {
		c.Metadata.RedirectURIs, c.Resources, c.Metadata.JWKS = []string{old}, []string{"https://-/"}, weak
	})
	if directory.CheckClient(before) == nil {
		t.Fatal("the stored client is valid, want an invalid one")
	}
	if !before.AllowsRedirect(old) {
		t.Error("AllowsRedirect refuses the stored redirect URI")
	}
	for name, c := range map[string]struct {
		change func(c *storage.Client)
		member string // of the problem; "" for none
	}{
		"another name":         {func(c *storage.Client) { c.Name = "Another" }, ""},
		"a URI beside it":      {func(c *storage.Client) { c.Metadata.RedirectURIs = []string{old, "https://b.example/"} }, ""},
		"it in another field":  {func(c *storage.Client) { c.Metadata.PostLogoutRedirectURIs = []string{old} }, "post_logout_redirect_uris"},
		"another of its kind":  {func(c *storage.Client) { c.Metadata.RedirectURIs = []string{"https://b.example:443/"} }, "redirect_uris"},
		"other keys, as weak":  {func(c *storage.Client) { c.Metadata.JWKS = `{"keys":[{"kty":"oct","k":"BBBB"}]}` }, "jwks"},
		"no keys":              {func(c *storage.Client) { c.Metadata.JWKS = "" }, ""},
		"an invalid name":      {func(c *storage.Client) { c.Name = "a\x00" }, "client_name"},
		"another bad resource": {func(c *storage.Client) { c.Resources = []string{"https://-/", "https://--/"} }, "resources"},
	} {
		changed := before
		c.change(&changed)
		err := directory.CheckClientChange(before, changed)
		if c.member == "" && err != nil || c.member != "" && (err == nil || !strings.Contains(err.Error(), "\n  "+c.member+": ") || strings.Count(err.Error(), "\n") > 1) {
			t.Errorf("%s: got %v, want a problem of the field %q", name, err, c.member)
		}
	}
}
