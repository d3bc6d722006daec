package api_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"signet/provider/providertest"
)

// TestReadable_HasEveryOperation: the page at /admin/api is public, has an example of every operation of
// the document, and runs no script and loads only the style of all pages.
func TestReadable_HasEveryOperation(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		r, err := http.NewRequest(http.MethodGet, b.Issuer+"/admin/api", nil)
		if err != nil {
			t.Fatal(err)
		}
		a := providertest.Do(t, providertest.Direct, r)
		policy := a.Header.Get("Content-Security-Policy")
		if a.StatusCode != http.StatusOK || !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Fatalf("got %d with the policy %q", a.StatusCode, policy)
		}
		document := (providertest.Operator{Testbed: b}).Call(t, http.MethodGet, "/openapi.json", "").JSON(t)
		for path, item := range document["paths"].(map[string]any) {
			for method := range item.(map[string]any) {
				if method = strings.ToUpper(method); method != http.MethodHead && !strings.Contains(a.Body, "<code>"+method+" "+path+"</code>") {
					t.Errorf("the page does not show %s %s", method, path)
				}
			}
		}
		page, err := html.Parse(strings.NewReader(a.Body))
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for node := range page.Descendants() {
			if node.Data == "script" || node.Data == "img" || node.Data == "iframe" {
				t.Errorf("the page has <%s>", node.Data)
			}
			for _, attribute := range node.Attr {
				if attribute.Key == "id" && ids[attribute.Val] {
					t.Errorf("the id %s comes twice", attribute.Val)
				}
				if attribute.Key == "style" || strings.HasPrefix(attribute.Key, "on") {
					t.Errorf("<%s> has the attribute %s", node.Data, attribute.Key)
				}
				ids[attribute.Val] = ids[attribute.Val] || attribute.Key == "id"
			}
		}
		if strings.Contains(a.Body, "ZgotmplZ") {
			t.Error("the template has refused a value")
		}
	})
}
