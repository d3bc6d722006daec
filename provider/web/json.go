package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

// IsJSON reports whether the body says of itself that it is JSON.
func IsJSON(r *http.Request) bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return kind == "application/json"
}

// PostJSON reads a body strictly: no body at all, or one JSON object of at most 64
// KiB, of these members and no others, each once, its name written exactly so and
// its value a string. Content type application/json in UTF-8, no parameter in the
// query. *FormError.
func PostJSON(w http.ResponseWriter, r *http.Request, members ...string) (map[string]string, error) {
	if r.URL.RawQuery != "" {
		return nil, &FormError{http.StatusBadRequest, "send members in the body, not parameters in the query"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, &FormError{http.StatusRequestEntityTooLarge, "the body is over 64 KiB"}
		}
		return nil, &FormError{http.StatusBadRequest, "the body cannot be read"}
	}
	if len(body) == 0 {
		return nil, nil
	}
	_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if len(r.Header.Values("Content-Type")) > 1 || !IsJSON(r) || (charset != "" && !strings.EqualFold(charset, "utf-8")) {
		return nil, &FormError{http.StatusUnsupportedMediaType, "send the body as application/json in UTF-8"}
	}
	if !utf8.Valid(body) {
		return nil, &FormError{http.StatusBadRequest, "the body is not UTF-8"}
	}
	return object(body, members)
}

// object reads one flat object. encoding/json would take a member twice, under a
// name of other capitals, or one that nobody reads.
func object(body []byte, members []string) (map[string]string, error) {
	unreadable := &FormError{http.StatusBadRequest, "the body is not a JSON object of strings"}
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, unreadable
	}
	read := make(map[string]string, len(members))
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, unreadable
		}
		name := key.(string) // the decoder lets nothing else be a name
		if err := known(name, members, read); err != nil {
			return nil, err
		}
		value, err := d.Token()
		text, ok := value.(string)
		if err != nil || !ok || !clean(text) {
			return nil, &FormError{http.StatusBadRequest, name + " must be a string without NUL"}
		}
		read[name] = text
	}
	if _, err := d.Token(); err != nil {
		return nil, unreadable
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, unreadable
	}
	return read, nil
}

func known(name string, members []string, read map[string]string) error {
	for _, member := range members {
		if member != name {
			continue
		}
		if _, twice := read[name]; twice {
			return &FormError{http.StatusBadRequest, "a member is repeated: send " + name + " once"}
		}
		return nil
	}
	text := "the body must be empty, or {}"
	if len(members) > 0 {
		text = "the body may have these members only: " + strings.Join(members, ", ")
	}
	return &FormError{http.StatusBadRequest, text}
}
