package web

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"signet/federation/foreign"
)

// FormOrJSON serves a path that accepts both the form of a page and the JSON of an app.
func FormOrJSON(form, app http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if IsJSON(r) {
			app.ServeHTTP(w, r)
			return
		}
		form.ServeHTTP(w, r)
	})
}

// IsJSON reports whether the Content-Type is that of JSON.
func IsJSON(r *http.Request) bool {
	return mediaType(r) == "application/json"
}

// PostJSON reads a JSON body strictly: the content type application/json in UTF-8, no
// parameter in the query, and one JSON object of at most 64 KiB with only these members.
// Each member may occur once, its name must match exactly, and its value is a string. An
// empty body is valid too. If no members are allowed, a body of another content type is
// ignored. *FormError.
func PostJSON(w http.ResponseWriter, r *http.Request, members ...string) (map[string]string, error) {
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 || len(members) == 0 && !IsJSON(r) {
		return nil, nil
	}
	if err := requireJSON(r); err != nil {
		return nil, err
	}
	return readObject(body, members)
}

// JSONBody reads the body of a request whose document the caller parses: the content type
// application/json in UTF-8, no parameter in the query, and at most 64 KiB. *FormError.
func JSONBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if err := requireJSON(r); err != nil {
		return nil, err
	}
	return readBody(w, r)
}

// mergePatchType is the media type of JSON Merge Patch (RFC 7396).
const mergePatchType = "application/merge-patch+json"

// JSONObject reads a body that is one JSON object of at most 64 KiB: the content type
// application/json, or that of JSON Merge Patch for PATCH, in UTF-8, and no member twice. The query
// may have parameters. *FormError.
func JSONObject(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	patch := r.Method == http.MethodPatch && mediaType(r) == mergePatchType
	if len(r.Header.Values("Content-Type")) > 1 || !patch && !IsJSON(r) || !isUTF8(charsetOf(r)) {
		return nil, &FormError{http.StatusUnsupportedMediaType, "send the body as application/json in UTF-8"}
	}
	body, err := readAll(w, r)
	if err != nil {
		return nil, err
	}
	members, err := foreign.ReadObject(body)
	if err != nil {
		return nil, &FormError{http.StatusBadRequest, "the body " + err.Error()}
	}
	return members, nil
}

func requireJSON(r *http.Request) error {
	if len(r.Header.Values("Content-Type")) > 1 || !IsJSON(r) || !isUTF8(charsetOf(r)) {
		return &FormError{http.StatusUnsupportedMediaType, "send the body as application/json in UTF-8"}
	}
	return nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.URL.RawQuery != "" {
		return nil, &FormError{http.StatusBadRequest, "send members in the body, not parameters in the query"}
	}
	return readAll(w, r)
}

func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, &FormError{http.StatusRequestEntityTooLarge, "the body is larger than 64 KiB"}
		}
		return nil, &FormError{http.StatusBadRequest, "the body cannot be read"}
	}
	return body, nil
}

// readObject reads one flat JSON object with only these members.
func readObject(body []byte, members []string) (map[string]string, error) {
	all, err := foreign.ReadObject(body)
	if err != nil {
		return nil, &FormError{http.StatusBadRequest, "the body " + err.Error() + ": send one JSON object of strings"}
	}
	read := make(map[string]string, len(all))
	for name, value := range all {
		if !slices.Contains(members, name) {
			return nil, unknownMemberError(members)
		}
		text, ok := value.(string)
		if !ok || !foreign.IsStorable(text) {
			return nil, &FormError{http.StatusBadRequest, name + " must be a string without NUL"}
		}
		read[name] = text
	}
	return read, nil
}

func unknownMemberError(members []string) error {
	text := "the body must be empty, or {}"
	if len(members) > 0 {
		text = "the body may only have these members: " + strings.Join(members, ", ")
	}
	return &FormError{http.StatusBadRequest, text}
}
