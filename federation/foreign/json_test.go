package foreign_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"signet/federation/foreign"
)

func TestReadObject_AmbiguousJSONIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                             ``,
		"an array":                            `[]`,
		"a string":                            `"a"`,
		"null":                                `null`,
		"a member twice":                      `{"a":1,"a":2}`,
		"a member twice by an escape":         `{"a":1,"\u0061":2}`,
		"a member twice in a member":          `{"x":{"a":1,"a":2}}`,
		"a member twice in a list":            `{"x":[{"a":1,"a":2}]}`,
		"two members but for their case":      `{"sub":1,"SUB":2}`,
		"two members but for the sort of s":   `{"sub":1,"ſub":2}`,
		"something behind it":                 `{} {}`,
		"a comma behind it":                   `{},`,
		"a comma too many":                    `{"a":1,}`,
		"a comment":                           `{/**/}`,
		"a name without quotes":               `{a:1}`,
		"an end that is missing":              `{"a":1`,
		"a mark of byte order":                "\ufeff{}",
		"no number":                           `{"a":NaN}`,
		"bytes that are not UTF-8":            "{\"a\":\"\xff\"}",
		"a surrogate in UTF-8":                "{\"a\":\"\xed\xa0\x80\"}",
		"a high surrogate alone":              `{"a":"\ud800"}`,
		"a low surrogate alone":               `{"a":"\udc00"}`,
		"a high surrogate in capitals":        `{"a":"\uD83D"}`,
		"a high surrogate before text":        `{"a":"\ud83dx"}`,
		"a high surrogate before an escape":   `{"a":"\ud83d\n"}`,
		"a high surrogate before a character": `{"a":"\ud83d\u0041"}`,
		"two high surrogates":                 `{"a":"\ud83d\ud83d\ude00"}`,
		"a pair the wrong way round":          `{"a":"\ude00\ud83d"}`,
		"a surrogate behind a backslash":      `{"a":"\\\ud800"}`,
		"a surrogate in a name":               `{"\ud800":1}`,
		"a surrogate deep within":             `{"a":[{"b":["\udfff"]}]}`,
		"a surrogate behind a pair":           `{"a":"\ud83d\ude00\ude00"}`,
		"33 levels":                           strings.Repeat(`{"a":`, 33) + `{}` + strings.Repeat(`}`, 33),
		"100,000 levels":                      strings.Repeat(`[`, 100_000),
	} {
		if got, err := foreign.ReadObject([]byte(text)); !errors.Is(err, foreign.ErrJSON) {
			t.Errorf("%s: got %v, %v", name, got, err)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q", name, err)
		}
	}
}

func TestReadObject_ValidJSON(t *testing.T) {
	for text, want := range map[string]map[string]any{
		` {} `:                          {},
		`{"a":"\ud83d\ude00"}`:          {"a": "😀"},
		`{"a":"\uD83D\uDE00","b":"é"}`:  {"a": "😀", "b": "é"},
		`{"a":"\\ud800"}`:               {"a": `\ud800`},
		`{"a":"\\\\ud800"}`:             {"a": `\\ud800`},
		`{"a":"\ufffd\u0000"}`:          {"a": "\ufffd\x00"},
		`{"a":12345678901234567890}`:    {"a": json.Number("12345678901234567890")},
		`{"a":[true,null,{"A":false}]}`: {"a": []any{true, nil, map[string]any{"A": false}}},
	} {
		if got, err := foreign.ReadObject([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
}

// FuzzReadObject: the standard library reads the same values, and no string was changed to be
// valid Unicode.
func FuzzReadObject(f *testing.F) {
	for _, seed := range []string{`{"a":"\ud83d\ude00"}`, `{"a":"\ud800"}`, `{"a":1,"A":2}`, `{"a":[1e400,{"b":null}]}`, `{"\\u":"\u0041"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := foreign.ReadObject(text)
		if err != nil {
			return
		}
		var other map[string]any
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		if err := d.Decode(&other); err != nil || !reflect.DeepEqual(got, other) {
			t.Fatalf("%q: %v and %v, %v", text, got, other, err)
		}
		written, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if replaced := strings.Count(string(written), "\ufffd") - strings.Count(string(text), "\ufffd"); replaced > strings.Count(strings.ToLower(string(text)), `\ufffd`) || !utf8.Valid(text) {
			t.Fatalf("%q has become %q", text, written)
		}
	})
}
