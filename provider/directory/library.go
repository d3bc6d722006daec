package directory

import (
	"slices"

	"signet/storage"
)

// Library is a client library or a program that signs people in, with its behavior when nobody
// configures it. The relying party tests sign in with each, and docs/clients.md lists them.
type Library struct {
	Name string
	Type storage.ClientType
	// ES256 reports whether it accepts ID tokens with ES256. The others accept only RS256, the
	// default of OpenID Connect Registration 1.0, section 2.
	ES256        bool
	PKCEOptional bool // it sends neither PKCE nor a nonce
	// ResponseType is the response type that it asks for; "" for code.
	ResponseType string
}

var libraries = []Library{
	{"mod_auth_openidc", storage.Web, true, false, ""},
	{"openid-client", storage.Web, true, false, ""},
	{"passport-openidconnect", storage.Web, true, true, ""},
	{"@auth/core", storage.Web, true, false, ""},
	{"express-openid-connect", storage.Web, false, false, "id_token"},
	{"zitadel/oidc", storage.Web, true, true, ""},
	{"Authlib", storage.Web, true, false, ""},
	{"mozilla-django-oidc", storage.Web, false, false, ""},
	{"python-social-auth", storage.Web, false, false, ""},
	{"django-allauth", storage.Web, true, true, ""},
	{"gitlab-omniauth-openid-connect", storage.Web, true, false, ""},
	{"spring-security", storage.Web, false, false, ""},
	{"oauth2-proxy", storage.Web, true, true, ""},
	{"oidc-agent", storage.Native, true, false, ""},
}

// Libraries returns the known libraries.
func Libraries() []Library { return slices.Clone(libraries) }

// FindLibrary returns the library with this name.
func FindLibrary(name string) (Library, bool) {
	i := slices.IndexFunc(libraries, func(l Library) bool { return l.Name == name })
	if i < 0 {
		return Library{}, false
	}
	return libraries[i], true
}

// Prepare sets the fields of a new client that its library needs, and the fastest algorithm of ID
// tokens that the library accepts. Every server has a key for ES256.
func (l Library) Prepare(c *storage.Client) {
	c.PKCEOptional = l.PKCEOptional
	if t, known := storage.FindResponseType(l.ResponseType); known {
		c.Metadata.ResponseTypes, c.Metadata.GrantTypes = []string{t.Name}, t.GrantTypes()
	}
	if l.ES256 {
		c.Metadata.IDTokenSignedResponseAlg = "ES256"
	}
}
