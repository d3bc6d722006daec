package web

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"signet/federation/foreign"
	"signet/templates/words"
)

const maxBody = 64 << 10 // bytes; the limit of ParseForm is ten megabytes

// FormError says why a body or a query cannot be read as parameters. Its text may be
// shown to the client.
type FormError struct {
	Status int
	Text   string
}

// Error returns the text for the client.
func (e *FormError) Error() string { return e.Text }

// answer returns the answer to a request with this error. The table has no row for it.
// Programs get the text of the error. People get a sentence without technical terms, and the
// text is in the log.
func (e *FormError) answer(s Surface) Answer {
	code := "invalid_request"
	if e.Status == http.StatusUnsupportedMediaType && s != OAuth { // RFC 6749, section 5.2, has no code for it
		code = "unsupported_media_type"
	}
	sentence := words.Say("common-error.unreadable-form.text")
	if e.Status == http.StatusRequestEntityTooLarge {
		sentence = words.Say("common-error.unreadable-form.too-large")
	}
	return Answer{Status: e.Status, Code: code, Text: e.Text, Title: words.Say("common-error.unreadable-form.title"), Sentence: sentence}
}

// formType is the media type of a form. It has no parameters: values are always UTF-8 (RFC
// 6749, appendix B), and parameters that a client sends are ignored.
const formType = "application/x-www-form-urlencoded"

// PostForm reads a form body strictly: the content type of a form, at most 64 KiB, each
// parameter once (except those in repeatable), valid UTF-8 without NUL, and no parameter
// in the query. Empty values count as absent (RFC 6749, section 3.2). An empty body is a
// form without parameters, even with another content type.
//
// PostForm also stores the result in r.Form and r.PostForm, for the library. *FormError.
func PostForm(w http.ResponseWriter, r *http.Request, repeatable ...string) (url.Values, error) {
	if len(r.Header.Values("Content-Type")) > 1 {
		return nil, &FormError{http.StatusBadRequest, "more than one Content-Type header"}
	}
	charset := charsetOf(r)
	if r.ContentLength != 0 && (!IsForm(r) || !isUTF8(charset) && !extendsASCII(charset)) {
		return nil, notUTF8Form
	}
	r.Header.Set("Content-Type", formType) // as ParseForm must read it
	if r.URL.RawQuery != "" {
		return nil, &FormError{http.StatusBadRequest, "send parameters in the body, not in the query"}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	r.Form, r.PostForm = nil, nil
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, &FormError{http.StatusRequestEntityTooLarge, "the body is larger than 64 KiB"}
		}
		return nil, &FormError{http.StatusBadRequest, "the body is not a form"}
	}
	if err := CheckParameters(r.PostForm, repeatable...); err != nil {
		return nil, err
	}
	if !isUTF8(charset) && !isASCII(r.PostForm) {
		return nil, notUTF8Form
	}
	r.Form = r.PostForm
	return r.PostForm, nil
}

var notUTF8Form = &FormError{http.StatusUnsupportedMediaType, "send the parameters as application/x-www-form-urlencoded in UTF-8"}

// IsForm reports whether the Content-Type is that of a form.
func IsForm(r *http.Request) bool { return mediaType(r) == formType }

// mediaType returns the media type of the Content-Type in lower case, without parameters.
// Malformed parameters are ignored.
func mediaType(r *http.Request) string {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return ""
	}
	return kind
}

func charsetOf(r *http.Request) string {
	_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return strings.ToLower(params["charset"])
}

func isUTF8(charset string) bool { return charset == "" || charset == "utf-8" || charset == "utf8" }

// extendsASCII reports whether ASCII text has the same bytes in the charset and in UTF-8.
// It knows the charsets that HTTP libraries send by default.
func extendsASCII(charset string) bool {
	return slices.Contains([]string{"us-ascii", "iso-8859-1", "windows-1252"}, charset)
}

func isASCII(values url.Values) bool {
	for name, list := range values {
		for _, text := range append(slices.Clone(list), name) {
			if strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
				return false
			}
		}
	}
	return true
}

// CheckParameters removes empty values and refuses parameters that two parsers could read
// differently: repeated ones, and text that is not UTF-8 or contains NUL. *FormError.
func CheckParameters(values url.Values, repeatable ...string) error {
	for name, list := range values {
		list = slices.DeleteFunc(list, func(v string) bool { return v == "" })
		if !foreign.IsStorable(name) || slices.ContainsFunc(list, func(v string) bool { return !foreign.IsStorable(v) }) {
			return &FormError{http.StatusBadRequest, "parameters must be UTF-8 without NUL"}
		}
		if len(list) > 1 && !slices.Contains(repeatable, name) {
			return &FormError{http.StatusBadRequest, "a parameter is repeated: send " + foreign.ForLog(name, 40) + " once"}
		}
		if len(list) == 0 {
			delete(values, name)
			continue
		}
		values[name] = list
	}
	return nil
}

// Form reads the form of a page, with the rules of PostForm. The error is a *Problem.
func Form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	values, err := PostForm(w, r)
	if _, ok := errors.AsType[*FormError](err); ok {
		return nil, asProblem(err)
	}
	return values, err
}

// FormWithFields is Form for a form that has only these fields. Any other field is
// refused, because it does not come from our page.
func FormWithFields(w http.ResponseWriter, r *http.Request, fields ...string) (url.Values, error) {
	values, err := Form(w, r)
	if err != nil {
		return nil, err
	}
	for name := range values {
		if !slices.Contains(fields, name) {
			return nil, &Problem{
				Status: http.StatusBadRequest, Code: "invalid_request", Title: words.Say("common-error.unreadable-form.title"),
				Text: words.Say("common-error.unreadable-form.unknown-field"),
			}
		}
	}
	return values, nil
}
