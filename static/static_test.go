package static_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"signet/static"
)

func start(t *testing.T, base string) (*static.Files, *httptest.Server) {
	t.Helper()
	files, err := static.New(base)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(files)
	t.Cleanup(server.Close)
	return files, server
}

// ask sends a request whose headers are given as pairs. The transport is told not to
// ask for gzip by itself.
func ask(t *testing.T, server *httptest.Server, method, path string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, content
}

func TestFiles_AreImmutableAndTyped(t *testing.T) {
	files, server := start(t, "/auth")
	for name, contentType := range map[string]string{
		"site.css":    "text/css; charset=utf-8",
		"site.js":     "text/javascript; charset=utf-8",
		"webauthn.js": "text/javascript; charset=utf-8",
		"favicon.svg": "image/svg+xml",
	} {
		url := files.URL(name)
		if !strings.HasPrefix(url, files.Prefix()) || !regexp.MustCompile(`^/auth/static/\w+\.[0-9a-f]{8}\.\w+$`).MatchString(url) {
			t.Errorf("got %s, want a name with its hash under /auth/static/", url)
		}
		answer, content := ask(t, server, http.MethodGet, url)
		if answer.StatusCode != http.StatusOK || len(content) == 0 {
			t.Errorf("GET %s: got %d with %d bytes", url, answer.StatusCode, len(content))
		}
		for header, want := range map[string]string{
			"Content-Type":           contentType,
			"Cache-Control":          "public, max-age=31536000, immutable",
			"X-Content-Type-Options": "nosniff",
			"Vary":                   "Accept-Encoding",
			"Content-Encoding":       "",
		} {
			if got := answer.Header.Get(header); got != want {
				t.Errorf("GET %s: got %s %q, want %q", url, header, got, want)
			}
		}
	}
}

// TestFiles_WebAuthnBeginsWithSite checks that a page loads one of the two, never both.
func TestFiles_WebAuthnBeginsWithSite(t *testing.T) {
	files, server := start(t, "")
	_, site := ask(t, server, http.MethodGet, files.URL("site.js"))
	_, whole := ask(t, server, http.MethodGet, files.URL("webauthn.js"))
	if !strings.HasPrefix(string(whole), string(site)) || strings.Contains(string(site), "PublicKeyCredential") || !strings.Contains(string(whole), "PublicKeyCredential") {
		t.Errorf("got %d bytes for passkeys that do not add the code of passkeys to the other %d", len(whole), len(site))
	}
}

func TestFiles_GzipHasTheSameContentAndItsOwnTag(t *testing.T) {
	files, server := start(t, "")
	url := files.URL("site.css")
	plain, want := ask(t, server, http.MethodGet, url)
	zipped, sent := ask(t, server, http.MethodGet, url, "Accept-Encoding", "br, GZIP;q=0.8")
	if zipped.Header.Get("Content-Encoding") != "gzip" || len(sent) >= len(want) {
		t.Fatalf("got coding %q and %d bytes, want gzip and fewer than %d", zipped.Header.Get("Content-Encoding"), len(sent), len(want))
	}
	if zipped.Header.Get("ETag") == plain.Header.Get("ETag") {
		t.Errorf("both representations have the tag %s", plain.Header.Get("ETag"))
	}
	reader, err := gzip.NewReader(strings.NewReader(string(sent)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("unzipped content differs from the plain one")
	}
	for _, refused := range []string{"identity", "br", "gzip;q=0", "gzip; q=0.000", "x-gzip", "gzip;q=x"} {
		if answer, _ := ask(t, server, http.MethodGet, url, "Accept-Encoding", refused); answer.Header.Get("Content-Encoding") != "" {
			t.Errorf("Accept-Encoding %q: got gzip", refused)
		}
	}
}

func TestFiles_NotModified(t *testing.T) {
	files, server := start(t, "")
	url := files.URL("site.js")
	first, _ := ask(t, server, http.MethodGet, url)
	tag := first.Header.Get("ETag")
	for _, sent := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		answer, content := ask(t, server, http.MethodGet, url, "If-None-Match", sent)
		if answer.StatusCode != http.StatusNotModified || len(content) != 0 || answer.Header.Get("ETag") != tag {
			t.Errorf("If-None-Match %s: got %d with %d bytes, want 304", sent, answer.StatusCode, len(content))
		}
	}
	if answer, _ := ask(t, server, http.MethodGet, url, "If-None-Match", `"other"`); answer.StatusCode != http.StatusOK {
		t.Errorf("got %d for another tag, want 200", answer.StatusCode)
	}
}

func TestFiles_HeadHasTheLengthAndNoBody(t *testing.T) {
	files, server := start(t, "")
	got, _ := ask(t, server, http.MethodGet, files.URL("site.css"))
	head, content := ask(t, server, http.MethodHead, files.URL("site.css"))
	if head.StatusCode != http.StatusOK || len(content) != 0 || head.ContentLength != got.ContentLength || head.ContentLength <= 0 {
		t.Errorf("got %d, length %d and %d bytes, want 200, %d and none", head.StatusCode, head.ContentLength, len(content), got.ContentLength)
	}
}

// HT-14: refusals carry the security headers too.
func TestFiles_OtherNamesAndMethodsAreRefused(t *testing.T) {
	files, server := start(t, "/auth")
	for _, path := range []string{"/auth/static/", "/auth/static/site.css", "/auth/static/site.00000000.css", "/static/site.css", "/auth/static/../files.go", "/auth/static/%2e%2e/files.go"} {
		answer, _ := ask(t, server, http.MethodGet, path)
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: got %d, want 404", path, answer.StatusCode)
		}
		if answer.Header.Get("X-Content-Type-Options") != "nosniff" || answer.Header.Get("Cache-Control") != "" {
			t.Errorf("GET %s: got headers %v, want nosniff and nothing to keep", path, answer.Header)
		}
	}
	answer, _ := ask(t, server, http.MethodPost, files.URL("site.css"))
	if answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: got %d and Allow %q, want 405", answer.StatusCode, answer.Header.Get("Allow"))
	}
}

func TestFiles_UnknownNamePanics(t *testing.T) {
	files, _ := start(t, "")
	defer func() {
		if recover() == nil {
			t.Error("got an address for a file that is not there")
		}
	}()
	files.URL("missing.css")
}
