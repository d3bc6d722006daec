package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// answer is a successful answer as it is sent and stored.
type answer struct {
	Status   int             `json:"status"`
	Location string          `json:"location,omitempty"` // below the issuer
	ETag     string          `json:"etag,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"` // absent with 204
}

// encode returns the answer of a reply.
func (o operation) encode(done reply) (a answer, err error) {
	if done.body == nil {
		return answer{Status: http.StatusNoContent}, nil
	}
	a = answer{Status: http.StatusOK, Location: done.location}
	if done.location != "" {
		a.Status = http.StatusCreated
	}
	if o.tagged {
		object := done.object
		if object == nil {
			object = done.body
		}
		if a.ETag, err = tagOf(object); err != nil {
			return answer{}, err
		}
	}
	a.Body, err = json.Marshal(done.body)
	return a, err
}

// without returns the answer without these members. secret_omitted replaces them.
func (a answer) without(secrets []string) answer {
	var members map[string]json.RawMessage
	if len(secrets) == 0 || json.Unmarshal(a.Body, &members) != nil {
		return a
	}
	had := len(members)
	maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool { return slices.Contains(secrets, name) })
	if len(members) == had {
		return a
	}
	members[maskedMember] = json.RawMessage("true")
	a.Body, _ = json.Marshal(members) // a map of valid JSON always encodes
	return a
}

func (a answer) write(w http.ResponseWriter, issuer string) {
	h := w.Header()
	if a.ETag != "" {
		h.Set("ETag", a.ETag)
	}
	if a.Location != "" {
		h.Set("Location", issuer+a.Location)
	}
	if a.Body != nil {
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // if the peer has closed the connection, there is nothing to do
}
