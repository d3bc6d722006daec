package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/provider/web"
)

// parameter is a parameter of the query.
type parameter struct {
	name  string
	kind  parameterKind
	about string
	words []string // allowed values of a word
}

type parameterKind int

const (
	text   parameterKind = iota // any text
	flag                        // true or false
	word                        // one of a few words
	count                       // a number of objects, from 1 to maxLimit
	moment                      // a time (RFC 3339)
)

// The number of objects on a page.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// pageParameters are the parameters of every list.
var pageParameters = []parameter{
	{name: "limit", kind: count, about: fmt.Sprintf("largest number of objects, 1 to %d; %d without it", maxLimit, defaultLimit)},
	{name: "after", kind: text, about: "the value of next of the previous page"},
}

// query holds the checked parameters of a request.
type query url.Values

func (q query) text(name string) string { return url.Values(q).Get(name) }

func (q query) flag(name string) bool { return q.text(name) == "true" }

// moment returns a time, the zero value if it is absent.
func (q query) moment(name string) time.Time {
	at, _ := time.Parse(time.RFC3339, q.text(name)) // readQuery has checked it
	return at
}

// limit returns the number of objects on a page.
func (q query) limit() int {
	n, err := strconv.Atoi(q.text("limit"))
	if err != nil { // absent: readQuery has checked it
		return defaultLimit
	}
	return n
}

// encode returns all parameters in a canonical form.
func (q query) encode() string { return url.Values(q).Encode() }

// filter returns the parameters that select objects, in a canonical form.
func (q query) filter() string {
	rest := url.Values{}
	for name, values := range q {
		if name != "limit" && name != "after" {
			rest[name] = values
		}
	}
	return rest.Encode()
}

// readQuery reads the query strictly: each parameter once, and none that the operation does not
// know.
func readQuery(r *http.Request, known []parameter) (query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, because("malformed_request", "the query is malformed")
	}
	if err := web.CheckParameters(values); err != nil {
		return nil, err
	}
	for name := range values {
		i := slices.IndexFunc(known, func(p parameter) bool { return p.name == name })
		if i < 0 {
			return nil, atField("unknown_parameter", shortened(name), "this call has no such parameter")
		}
		if err := known[i].check(values.Get(name)); err != nil {
			return nil, err
		}
	}
	return query(values), nil
}

func (p parameter) check(value string) error {
	n, err := strconv.Atoi(value)
	_, notTime := time.Parse(time.RFC3339, value)
	switch {
	case p.kind == moment && notTime != nil:
		return atField("invalid_value", p.name, p.name+" must be a time such as 2026-01-31T12:00:00Z")
	case p.kind == count && (err != nil || n < 1 || n > maxLimit):
		return atField("invalid_limit", p.name, fmt.Sprintf("limit must be a number from 1 to %d", maxLimit))
	case p.kind == flag && value != "true" && value != "false":
		return atField("invalid_value", p.name, p.name+" must be true or false")
	case p.kind == word && !slices.Contains(p.words, value):
		return atField("invalid_value", p.name, p.name+" must be "+strings.Join(p.words, ", "))
	}
	return nil
}
