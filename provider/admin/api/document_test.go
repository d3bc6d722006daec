package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"signet/provider/providertest"
)

// TestDocument_IsValid: the OpenAPI document is public, and a second library accepts it.
func TestDocument_IsValid(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		a := (providertest.Operator{Testbed: b}).Call(t, http.MethodGet, "/openapi.json", "")
		if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "application/json" || a.Header.Get("ETag") == "" {
			t.Fatalf("got %d %v", a.StatusCode, a.Header)
		}
		document, err := openapi3.NewLoader().LoadFromData([]byte(a.Body))
		if err != nil {
			t.Fatal(err)
		}
		if err := document.Validate(t.Context()); err != nil {
			t.Error(err)
		}
		if document.OpenAPI != "3.1.0" || !strings.HasPrefix(document.Servers[0].URL, b.Issuer) {
			t.Errorf("got version %s and server %s", document.OpenAPI, document.Servers[0].URL)
		}
	})
}

// TestDocument_EveryAnswerIsDocumented calls each operation and checks the answers by the schemas
// of the document, with a third library.
func TestDocument_EveryAnswerIsDocumented(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		check := answerCheck(t, b)
		for _, scope := range []string{"signet:admin", "signet:keys"} {
			o := b.Operator(t, scope)
			for _, e := range endpoints(t, b) {
				for _, path := range []string{e.path, strings.ReplaceAll(e.path, "usr_nobodysub", b.Alice.ID), e.path + "?nonsense=1", e.path + "?limit=x"} {
					for _, body := range []string{"", e.body, "[]", `{"nonsense":1}`} {
						if e.method == http.MethodDelete && strings.HasSuffix(path, b.Alice.ID) {
							continue
						}
						check(t, o.Call(t, e.method, path, body))
					}
				}
			}
		}
	})
}

// answerCheck returns a function that fails the test if the document does not describe an answer.
func answerCheck(t *testing.T, b *providertest.Testbed) func(*testing.T, providertest.Answer) {
	t.Helper()
	text := (providertest.Operator{Testbed: b}).Call(t, http.MethodGet, "/openapi.json", "").Body
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("api", document); err != nil {
		t.Fatal(err)
	}
	paths := document.(map[string]any)["paths"].(map[string]any)
	return func(t *testing.T, a providertest.Answer) {
		t.Helper()
		at := strings.TrimPrefix(a.Request.URL.Path, strings.TrimPrefix(b.Issuer, a.Request.URL.Scheme+"://"+a.Request.URL.Host)+"/admin/api/v1")
		pattern := patternOf(paths, at)
		label := a.Request.Method + " " + at + ": " + a.Status
		operation, _ := paths[pattern].(map[string]any)[strings.ToLower(a.Request.Method)].(map[string]any)
		answer, documented := operation["responses"].(map[string]any)[strings.Fields(a.Status)[0]].(map[string]any)
		if !documented {
			t.Errorf("%s is not in the document: %s", label, a.Body)
			return
		}
		content, _ := answer["content"].(map[string]any)
		kind := a.Header.Get("Content-Type")
		if a.Request.Method == http.MethodHead {
			return
		}
		if content[kind] == nil {
			if a.Body != "" {
				t.Errorf("%s has %s, which is not in the document", label, kind)
			}
			return
		}
		escape := strings.NewReplacer("~", "~0", "/", "~1")
		schema, err := compiler.Compile("api#/paths/" + escape.Replace(pattern) + "/" + strings.ToLower(a.Request.Method) + "/responses/" + strings.Fields(a.Status)[0] + "/content/" + escape.Replace(kind) + "/schema")
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal([]byte(a.Body), &value); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v in %s", label, err, a.Body)
		}
	}
}

// patternOf returns the path of the document that matches.
func patternOf(paths map[string]any, at string) string {
	for pattern := range paths {
		want, got := strings.Split(pattern, "/"), strings.Split(at, "/")
		if len(want) != len(got) {
			continue
		}
		matches := true
		for i := range want {
			matches = matches && (want[i] == got[i] || strings.HasPrefix(want[i], "{"))
		}
		if matches {
			return pattern
		}
	}
	return ""
}
