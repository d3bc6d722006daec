package federation

// Kind is the type of upstream, as in the settings.
type Kind string

// The kinds of upstream.
const (
	Google    Kind = "google"
	GitHub    Kind = "github"
	OIDC      Kind = "oidc"
	Microsoft Kind = "microsoft"
	Apple     Kind = "apple"
	GitLab    Kind = "gitlab"
)

// Kinds lists the kinds of upstream, in the order in which settings and their
// documentation name them.
func Kinds() []Kind { return []Kind{Google, GitHub, OIDC, Microsoft, Apple, GitLab} }

// KindNames lists the kinds of upstream as settings spell them.
func KindNames() []string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return names
}

// Trust is what an upstream's word on an e-mail address is worth. The zero value
// is the least.
type Trust int

const (
	// Unknown: anybody may have typed the address.
	Unknown Trust = iota
	// Verifies: the upstream says email_verified once it has sent mail there. The
	// mailbox may be another's by now.
	Verifies
	// Authoritative: the upstream runs the mailbox or its domain, one of
	// Config.Domains.
	Authoritative
)

// Distrust in a Config is Unknown for a kind that would be trusted otherwise.
const Distrust Trust = -1

// String is the word that settings use; that of Distrust is "unknown".
func (t Trust) String() string {
	return [...]string{"unknown", "verifies", "authoritative"}[max(t, Unknown)]
}

// Reauthentication is what an upstream does when an attempt asks it to let the user
// prove again who it is.
type Reauthentication int

const (
	// ReportsAuthTime: it may ask again or not; the auth_time that it signs tells.
	ReportsAuthTime Reauthentication = iota
	// NeverReauthenticates: it answers from a session of its own and does not say how old that is.
	NeverReauthenticates
	// AlwaysReauthenticates: it documents that it honours prompt=login. Its answer counts as a new
	// proof even if it names no auth_time.
	AlwaysReauthenticates
)

// The methods of client authentication at a token endpoint (OIDC Core, section 9).
const (
	secretBasic   = "client_secret_basic"
	secretPost    = "client_secret_post"
	privateKeyJWT = "private_key_jwt"
	noSecret      = "none"
)

// preset is what is known of one kind of upstream: the facts that settings may leave
// out. What a kind does its own way is in its quirks.
type preset struct {
	name        string
	issuer      string
	scopes      []string
	trust       Trust
	hosts       []string // of endpoints outside the issuer's domain
	formPost    bool
	noUserinfo  bool
	freshPrompt string // where prompt=login is not known
	// clientAuth are the methods that it knows, if it knows no client without a secret or a
	// key. Nil: any method, and public clients with PKCE.
	clientAuth []string

	reauthenticates Reauthentication
}

func (p preset) supportsPromptLogin() bool { return p.freshPrompt == "" }

var standardScopes = []string{"openid", "profile", "email"}

const googleIssuer = "https://accounts.google.com"

var presets = map[Kind]preset{
	Google: {
		name: "Google", issuer: googleIssuer, scopes: standardScopes, trust: Authoritative,
		hosts:       []string{"oauth2.googleapis.com", "openidconnect.googleapis.com", "www.googleapis.com"},
		freshPrompt: "select_account", // it refuses login
		clientAuth:  []string{secretBasic, secretPost},
	},
	GitHub: {
		name: "GitHub", scopes: []string{"read:user", "user:email"}, trust: Verifies,
		freshPrompt: "select_account", reauthenticates: NeverReauthenticates, clientAuth: []string{secretPost},
	},
	OIDC: {name: "OpenID Connect", scopes: standardScopes},
	Microsoft: {
		name: "Microsoft", scopes: standardScopes, noUserinfo: true,
		reauthenticates: AlwaysReauthenticates, // documents prompt=login, and names auth_time to few
		// A redirect URI of a web server needs a credential there.
		clientAuth: []string{secretBasic, secretPost, privateKeyJWT},
	},
	Apple: {
		name: "Apple", issuer: "https://appleid.apple.com", scopes: []string{"openid", "name", "email"}, trust: Verifies,
		formPost: true, noUserinfo: true,
	},
	GitLab: {name: "GitLab", issuer: "https://gitlab.com", scopes: standardScopes, trust: Verifies},
}
