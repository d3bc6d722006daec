package foreign_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"signet/federation/foreign"
)

var objects = []string{
	`{}`, `{"a":1}`, ` {"a":"b","c":[1,{"d":null}]} `, `{"a":1,"a":2}`, `{"a":1,"A":2}`, `{"\u0061":1,"a":1}`, `{"a":"\ud800"}`, `{"\ud800":1,"a":2}`,
	"{\"a\":\"\xff\"}", "{\"\xff\":1,\"\xfe\":2}", "\xef\xbb\xbf{\"a\":1}", `{"a":{"b":1,"b":2}}`, `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
	``, `null`, `[]`, `"a"`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `{"a":1}{}`, `{"a":1}x`, `{a:1}`, `{"a":1e999}`, `{"ſ":1,"s":2}`,
}

// FuzzMembers: Value returns the same value as ReadObject, and no value for an ambiguous member.
func FuzzMembers(f *testing.F) {
	for _, text := range objects {
		f.Add(text, "a")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		members, err := foreign.ReadMembers([]byte(text))
		whole, errWhole := foreign.ReadObject([]byte(strings.TrimPrefix(text, "\xef\xbb\xbf")))
		if err != nil {
			if errWhole == nil {
				t.Fatalf("an object that ReadObject accepts is refused: %v", err)
			}
			return
		}
		value, err := members.Value(name)
		if errWhole == nil && (err != nil || !reflect.DeepEqual(value, whole[name])) {
			t.Fatalf("got %v, %v; the object has %v", value, err, whole[name])
		}
		var loose map[string]json.RawMessage
		if json.Unmarshal([]byte(strings.TrimPrefix(text, "\xef\xbb\xbf")), &loose) != nil {
			t.Fatal("encoding/json does not accept it as JSON")
		}
		if err == nil && value != nil {
			again, err := foreign.ReadValue(loose[name])
			if err != nil || !reflect.DeepEqual(again, value) {
				t.Fatalf("encoding/json reads %s, want %v", loose[name], value)
			}
		}
	})
}

func TestMembers_AreCheckedWhenRead(t *testing.T) {
	spoilt := `"twice":1,"twice":2,"case":1,"CASE":2,"half":"\ud800","deep":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + ",\"bytes\":\"\xff\",\"in\":{\"a\":1,\"a\":2}"
	members, err := foreign.ReadMembers([]byte(`{"sub":"a",` + spoilt + `,"exp":5}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"sub": "a", "exp": json.Number("5"), "none": nil} {
		if got, err := members.Value(name); got != want || err != nil {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"twice", "case", "CASE", "half", "deep", "bytes", "in"} {
		if got, err := members.Value(name); err == nil || got != nil {
			t.Errorf("%s: got %v, want an error", name, got)
		}
	}
}

// FuzzReadJWS: no text causes a panic, no key verifies a token that it did not sign, and errors have
// one line.
func FuzzReadJWS(f *testing.F) {
	for _, text := range []string{"", "a.b", "a.b.c", "..", "a.b.c.d", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA", "eyJhbGciOm51bGx9.e30.", "eyJhbGciOiJIUzI1NiIsImNyaXQiOltdfQ.e30.AA", "e30=.e30.AA", "e30.e30\n.AA"} {
		f.Add(text)
	}
	key, err := foreign.ReadKey(pairs()["P-256"].public)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		signed, err := foreign.ReadJWS(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x00") {
				t.Fatalf("an error of several lines: %q", err)
			}
			return
		}
		if key.Verify(signed) || signed.VerifyHMAC([]byte("a secret of more than thirty-two bytes")) {
			t.Fatalf("%q is verified", text)
		}
	})
}
