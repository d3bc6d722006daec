package request

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/storage"
)

// Kind is the answer to a request after the user has signed in.
type Kind string

const (
	Code    Kind = "code"    // an authorization code at the client's redirect URI
	Cookies Kind = "cookies" // the cookies of the first-party app, and a redirect to it
	Page    Kind = "page"    // a redirect to a path of the issuer
	Device  Kind = "device"  // the page that lets a device sign in (RFC 8628)
)

// IsOfClient reports whether the answer gives rights of the user to a client that is not the
// first-party app. Such a request is narrowed to the client, and the client's own rules about
// the sign-in apply.
func (k Kind) IsOfClient() bool { return k == Code || k == Device }

// Request is a validated authorization request. It never changes after sealing. The
// decisions of the user about it are stored as facts of the session, with the ID of the
// request.
type Request struct {
	ID      string         `json:"i"`
	Kind    Kind           `json:"k"`
	Created storage.Millis `json:"t"`

	Path string `json:"p,omitempty"` // Page and Device: a path of the issuer; Cookies: such a path, or a URL of the app
	Act  string `json:"d,omitempty"` // Page: the name of the visit.Act that needs a new proof
	Back string `json:"j,omitempty"` // Page and Device: the path that leads back

	// Pushed is the row of a pushed request; "" for other requests. The browser then carries only
	// this, the ID, the kind, the client and Created.
	Pushed string `json:"z,omitempty"`

	ClientID     string          `json:"c,omitempty"`
	RedirectURI  string          `json:"u,omitempty"`
	ResponseMode string          `json:"m,omitempty"` // "" (query), "fragment" or "form_post"
	ResponseType string          `json:"y,omitempty"` // "" (code), or the name of another storage.ResponseType
	State        string          `json:"s,omitempty"`
	Nonce        string          `json:"n,omitempty"`
	Scopes       []string        `json:"o,omitempty"`
	Resources    []string        `json:"r,omitempty"`
	Claims       json.RawMessage `json:"l,omitempty"` // the claims parameter, as accepted
	Challenge    string          `json:"g,omitempty"` // code_challenge, method S256
	Prompt       []string        `json:"q,omitempty"`
	MaxAge       *int64          `json:"a,omitempty"` // seconds
	LoginHint    string          `json:"h,omitempty"`
	HintSubject  string          `json:"b,omitempty"`  // sub of a verified id_token_hint
	EssentialACR []string        `json:"e,omitempty"`  // essential acr values of the claims parameter: one must be met; with Act: the acr that the act needs
	VoluntaryACR []string        `json:"ev,omitempty"` // known acr values that are preferred, the best first
	NeedAuthTime bool            `json:"f,omitempty"`  // auth_time is essential in the claims parameter

	DeviceID  string   `json:"v,omitempty"` // Device: ID of the storage.DeviceCode
	UserCode  UserCode `json:"w,omitempty"` // Device: as the user entered it
	EnteredBy string   `json:"x,omitempty"` // Device: ID of that user

	Lost Lost `json:"-"` // requested rights that the client may not have; set by NarrowedTo
}

// Prompts reports whether the client sent this prompt value.
func (q Request) Prompts(value string) bool { return slices.Contains(q.Prompt, value) }

// Type returns the response type of the request.
func (q Request) Type() storage.ResponseType {
	t, _ := storage.FindResponseType(cmp.Or(q.ResponseType, storage.ResponseTypeCode))
	return t
}

// Freshness returns how recent the sign-in must be to answer the request, with the current
// settings of the client.
func (q Request) Freshness(client storage.Client) storage.Freshness {
	f := storage.Freshness{
		Request: q.ID, Reauthenticate: q.Prompts("login"), AuthTimeKnown: q.NeedAuthTime || q.Kind.IsOfClient() && client.Metadata.RequireAuthTime,
		AllFactors: q.Act != "", BestEffort: q.Kind.IsOfClient() && client.PromptLogin == storage.PromptLoginBestEffort,
	}
	if q.MaxAge != nil {
		age := time.Duration(*q.MaxAge) * time.Second
		f.MaxAge = &age
	}
	return f
}

// HasScope reports whether the request asks for the scope.
func (q Request) HasScope(scope string) bool { return slices.Contains(q.Scopes, scope) }

// RestartPath returns the path and query, below the issuer, that start the same request
// again. They have no id_token_hint, since the request contains only its subject.
func (q Request) RestartPath() string {
	if q.Kind != Code {
		v := url.Values{"return_to": {q.Path}}
		if len(q.Prompt) > 0 && !q.Prompts("none") {
			v.Set("prompt", strings.Join(q.Prompt, " "))
		}
		if q.LoginHint != "" {
			v.Set("login_hint", q.LoginHint)
		}
		return "/login?" + v.Encode()
	}
	v := url.Values{"client_id": {q.ClientID}, "redirect_uri": {q.RedirectURI}, "response_type": {q.Type().Name}}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("scope", strings.Join(q.Scopes, " "))
	set("state", q.State)
	set("nonce", q.Nonce)
	set("response_mode", q.ResponseMode)
	set("prompt", strings.Join(q.Prompt, " "))
	set("login_hint", q.LoginHint)
	set("claims", string(q.Claims))
	set("acr_values", strings.Join(q.VoluntaryACR, " "))
	if q.Challenge != "" {
		v.Set("code_challenge", q.Challenge)
		v.Set("code_challenge_method", "S256")
	}
	if q.MaxAge != nil {
		v.Set("max_age", strconv.FormatInt(*q.MaxAge, 10))
	}
	if len(q.Resources) > 0 {
		v["resource"] = q.Resources
	}
	return "/authorize?" + v.Encode()
}

// ClaimNames lists the individually requested claims, sorted, for the consent page.
func (q Request) ClaimNames() []string {
	var asked struct {
		UserInfo map[string]json.RawMessage `json:"userinfo"`
		IDToken  map[string]json.RawMessage `json:"id_token"`
	}
	if len(q.Claims) == 0 || json.Unmarshal(q.Claims, &asked) != nil {
		return nil
	}
	var names []string
	for _, set := range []map[string]json.RawMessage{asked.UserInfo, asked.IDToken} {
		for name := range set {
			if !slices.Contains(protocolClaims, name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// protocolClaims describe the sign-in and not the user, so they need no consent.
var protocolClaims = []string{"sub", "acr", "amr", "auth_time", "sid", "iss", "aud", "exp", "iat", "nonce", "at_hash"}

// Lost reports which requested rights the client may not have.
type Lost struct {
	Any                     bool // at least one scope, resource or claim
	AllScopes, AllResources bool // every scope; every resource
}
