package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"signet/provider/web"
	"signet/storage"
)

// operation is one act of the API: a method at a path.
type operation struct {
	methods  string // with HEAD beside GET
	path     string // below the issuer
	id       string // unique; the name of the function in generated clients
	tag      string // the resource
	summary  string
	scope    string // storage.ScopeAdminAll suffices too
	reads    bool   // storage.ScopeAdminRead suffices too
	anyScope bool   // every scope of the API suffices

	parameters []parameter
	body       *huma.Schema // of the JSON object in the body; nil: no body
	result     reflect.Type // of the JSON in the answer; nil: 204, or see answer
	answer     *namedSchema // of the JSON in the answer, instead of result
	created    bool         // the answer is 201 with Location
	puts       bool         // the call creates or replaces: the answer is 201 with Location, or 200
	secrets    []string     // members of the answer that are secret: a repeated answer omits them
	tagged     bool         // the answer has an ETag
	errors     []int        // further statuses

	serve func(*call) (reply, error)

	checkBody *jsonschema.Schema // compiled from body
}

// method returns the method of the operation, GET for GET and HEAD.
func (o operation) method() string {
	method, _, _ := strings.Cut(o.methods, "|")
	return method
}

// scopes lists the scopes that suffice.
func (o operation) scopes() []string {
	if o.anyScope {
		return storage.AdminScopes()
	}
	scopes := []string{o.scope, storage.ScopeAdminAll}
	if o.reads {
		scopes = append([]string{storage.ScopeAdminRead}, scopes...)
	}
	return slices.Compact(scopes)
}

// reply is a successful answer.
type reply struct {
	body     any    // nil: 204
	location string // of a new object, below the issuer; it makes the answer a 201
	object   any    // that the ETag is of; nil: body
}

// call is one authorized call of an operation.
type call struct {
	*http.Request
	caller  caller
	query   query
	members map[string]any // of the body; checked by the schema
	attempt storage.CallAttempt
	userID  string // of the user of the path, or of the new one
}

// origin returns the origin of an act, for its event.
func (c *call) origin() storage.Origin {
	from := web.TraceOf(c.Context()).Origin()
	from.Actor, from.Attempt = c.caller.id(), c.attempt
	return from
}

// handle returns the handler of an operation.
func (h *Handler) handle(o operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.answer(w, r, o); err != nil {
			fail(w, r, err)
		}
	})
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, o operation) error {
	caller, err := h.authenticate(r)
	if err != nil {
		return err
	}
	if err := caller.require(o.scopes()); err != nil {
		return err
	}
	c := &call{Request: r, caller: caller}
	if c.query, err = readQuery(r, o.parameters); err != nil {
		return err
	}
	if o.body != nil {
		if c.members, err = web.JSONObject(w, r); err != nil {
			return err
		}
		if err := checkBody(o.checkBody, c.members); err != nil {
			return err
		}
	}
	done, err := h.performOnce(c, o)
	if err != nil {
		return err
	}
	done.write(w, h.Issuer)
	return nil
}

// tagOf returns the ETag of an object. It is a hash of the JSON, so objects with the same ETag are
// the same object with the same values.
func tagOf(body any) (string, error) {
	content, err := json.Marshal(body)
	return etagOf(content), err
}

func etagOf(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// checkMatch checks If-Match, if the request has it, against the object as it is now; nil: there is no
// object (RFC 9110, section 13.1.1). If-None-Match: * wants that there is none (section 13.1.2).
// It runs in the transaction of the change.
func (c *call) checkMatch(now any) error {
	if c.Header.Get("If-None-Match") == "*" && now != nil {
		return because("changed_meanwhile", "If-None-Match wants that there is no object")
	}
	lines := c.Header.Values("If-Match")
	if len(lines) == 0 {
		return nil
	}
	tag := ""
	if now != nil {
		var err error
		if tag, err = tagOf(now); err != nil {
			return err
		}
	}
	for _, line := range lines {
		for one := range strings.SplitSeq(line, ",") {
			if one = strings.TrimSpace(one); now != nil && (one == "*" || one == tag) {
				return nil
			}
		}
	}
	return because("changed_meanwhile", "If-Match names another version")
}
