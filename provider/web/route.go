package web

import (
	"net/http"
	"strings"

	"signet/templates/words"
)

// Route is one row in the list of all paths that the provider serves. Each package returns
// its own rows, and package provider joins them. The router, the tests of all paths and
// docs/routes.md are made from this one list.
type Route struct {
	Methods       string // separated by "|"; HEAD only where GET changes nothing, see Router
	Path          string // below the issuer: a pattern of http.ServeMux without a method
	Policy        Policy
	Handler       http.Handler
	Specification string        // with section; "" for a path that no specification defines
	Scopes        []string      // of the administration API: the operator needs one, or a role that stands for one; nil: none is needed
	Package       string        // the package below provider that serves the path; set by package provider
	AtHostRoot    bool          // the path is at the root of the host, not below the issuer
	ForPeople     Link          // the page where people can do the same; may be zero
	Refuse        MethodRefusal // answers other methods at the path; nil: the policy decides
}

// Link is a link to a page of ours.
type Link struct {
	Path string // below the issuer
	Text words.Sentence
}

// Policy names the callers of a path and the rules that apply before its handler runs.
type Policy string

// The policies. Their rules are in Policies.
const (
	PagePolicy         Policy = "page"
	EntryPagePolicy    Policy = "entry page"
	DocumentPolicy     Policy = "document"
	ClientPolicy       Policy = "client"
	ServerPolicy       Policy = "server"
	TokenPolicy        Policy = "token"
	RegistrationPolicy Policy = "registration"
	ManagementPolicy   Policy = "registered client"
	FirstPartyPolicy   Policy = "first-party app"
	FramedPolicy       Policy = "framed"
	HealthPolicy       Policy = "health"
	FilePolicy         Policy = "file"
	AdminAPIPolicy     Policy = "administration API"
)

// AdminAPIRoot is the path of the administration API below the issuer. Every error at it and below it
// is answered on the surface API.
const AdminAPIRoot = "/admin/api/v1"

// Policies lists every policy with its rule, in the order of docs/routes.md.
var Policies = []struct {
	Policy Policy
	Rule   string
}{
	{PagePolicy, "a page or a form. A POST from another origin is refused. An error is a page."},
	{EntryPagePolicy, "a page that other sites may send a browser to, by GET and, where listed, by POST. It acts only on parameters that it has validated. An error is a page."},
	{DocumentPolicy, "bytes that are the same for every caller, answered before the request log. Discovery and keys may be cached. Those that allow OPTIONS are readable from every origin, and every preflight succeeds."},
	{ClientPolicy, "a form in the body, at most 64 KiB, no parameter twice. The client authenticates. Pages at the origins of the client may read the answer, without credentials; a preflight allows every header. An error is OAuth JSON."},
	{ServerPolicy, "as client, but readable from no origin: only servers call it."},
	{TokenPolicy, "one access token in one place. Pages at the origins of the client may read the answer, without credentials. An error is a bearer challenge."},
	{RegistrationPolicy, "a JSON object in the body, at most 64 KiB, and at most one token. It is served if the setting registration.mode allows it. An error is OAuth JSON, or a bearer challenge if it is about the token. It is readable from no origin."},
	{ManagementPolicy, "as registration, with the token of the client. Pages at the origins of the client may read the answer, without credentials."},
	{FirstPartyPolicy, "JSON with the cookies of the browser, only from first_party.origins. A preflight allows Content-Type, X-CSRF and the headers of tracing libraries. An error is JSON."},
	{FramedPolicy, "a page without content that pages of every origin may frame. Its script answers messages of the page around it. It is served if the setting session_management is on."},
	{HealthPolicy, "one word of JSON for programs that monitor the node."},
	{FilePolicy, "a picture: the icon or the logo of a client. It may be cached for a day. In a page, a missing logo is an invisible picture; other errors are JSON."},
	{AdminAPIPolicy, "one access token for the administration API in the Authorization header, of a client that may use it or of a person with a role of administration. The client, or the session and the role of the person, are read from the database at each call. JSON in the body, at most 64 KiB. It is readable from no origin, and ignores cookies. An error is a problem document (RFC 9457)."},
}

// IsPage reports whether the answers are pages for people. If so, the answer to a wrong method
// is a page, otherwise JSON.
func (p Policy) IsPage() bool { return p == PagePolicy || p == EntryPagePolicy || p == FramedPolicy }

// MethodList returns the methods of the row.
func (r Route) MethodList() []string { return strings.Split(r.Methods, "|") }
