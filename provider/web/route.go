package web

import (
	"net/http"
	"strings"
)

// Route is one row of the list of everything that the provider serves. Each room gives
// its rows; the root joins them. The router, the tests that walk over all paths and
// docs/routes.md are made of that one list.
type Route struct {
	Methods       string // separated by "|"; HEAD only where GET changes nothing, see Router
	Path          string // below the issuer: a pattern of http.ServeMux without a method
	Policy        Policy
	Handler       http.Handler
	Specification string // and section; "" for a path of our own
	Room          string // the package below provider that serves it; set by the root
	AtHostRoot    bool   // the path stands at the root of the host, not below the issuer
	ForPeople     Link   // the page that does the same for a person; the zero value for none
}

// Link is a link to a page of ours.
type Link struct {
	Path string // below the issuer
	Text string
}

// Policy says for whom a path is, and what holds there before its handler runs.
type Policy string

// The policies. Their rules are in Policies.
const (
	PagePolicy       Policy = "page"
	EntryPagePolicy  Policy = "entry page"
	DocumentPolicy   Policy = "document"
	ClientPolicy     Policy = "client"
	ServerPolicy     Policy = "server"
	TokenPolicy      Policy = "token"
	FirstPartyPolicy Policy = "first-party app"
	HealthPolicy     Policy = "health"
	FilePolicy       Policy = "file"
)

// Policies gives every policy with its rule, in the order in which docs/routes.md tells
// them.
var Policies = []struct {
	Policy Policy
	Rule   string
}{
	{PagePolicy, "a page or a form of ours. A POST from another origin is refused; an error is a page."},
	{EntryPagePolicy, "a page that other sites may send a browser to, by GET and, where listed, by POST. It acts on nothing but what it has validated; an error is a page."},
	{DocumentPolicy, "ready bytes, the same for everybody, answered in front of the log. Discovery and keys may be cached, and are readable from every origin; a preflight succeeds for all."},
	{ClientPolicy, "a form in the body, 64 KiB at most, no parameter twice. The client authenticates. Readable without credentials from the origins of the client, with whatever headers a preflight asks for. An error is OAuth JSON."},
	{ServerPolicy, "as client, but from no origin at all: browsers have no business here."},
	{TokenPolicy, "an access token in one place. Readable without credentials from the origins of the client. An error is a bearer challenge."},
	{FirstPartyPolicy, "JSON with the cookies of the browser, from the origins of first_party.origins alone; beside Content-Type and X-CSRF a preflight allows the headers of tracing libraries. An error is JSON."},
	{HealthPolicy, "one word of JSON for what watches the node."},
	{FilePolicy, "a file of the pages, under a name that browsers know by themselves. It may be cached for a day."},
}

// IsPage reports whether people see the answers: a wrong method is told on a page then,
// and as JSON otherwise.
func (p Policy) IsPage() bool { return p == PagePolicy || p == EntryPagePolicy }

// MethodList gives the methods of the row.
func (r Route) MethodList() []string { return strings.Split(r.Methods, "|") }
