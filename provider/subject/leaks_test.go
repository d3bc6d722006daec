package subject_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"signet/provider/providertest"
)

// wire records everything that leaves the provider: the status lines, headers and bodies of all
// answers to clients and browsers.
type wire struct {
	inner http.RoundTripper
	mu    sync.Mutex
	sent  []sent
}

type sent struct{ what, text string }

// record records the answers of the test from now on.
func record(t *testing.T) *wire {
	w := &wire{inner: providertest.Direct.Transport}
	providertest.Direct.Transport = w
	t.Cleanup(func() { providertest.Direct.Transport = w.inner })
	return w
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	a, err := w.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(a.Body)
	a.Body.Close()
	a.Body = io.NopCloser(bytes.NewReader(body))
	var text strings.Builder
	_ = a.Header.Write(&text)
	w.add(r.Method+" "+r.URL.Path, text.String()+"\n"+string(body))
	return a, err
}

func (w *wire) add(what, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, sent{what, text})
}

// segment is a part of a JWT, or another long base64url text.
var segment = regexp.MustCompile(`[A-Za-z0-9_-]{16,}`)

// clear returns a text as its receiver can read it: also with decoded percent-encoding, and with
// the decoded parts of all JWTs.
func clear(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		text += "\n" + decoded
	}
	var all strings.Builder
	all.WriteString(text)
	for _, part := range segment.FindAllString(text, -1) {
		if decoded, err := base64.RawURLEncoding.DecodeString(part); err == nil {
			all.WriteByte('\n')
			all.Write(decoded)
		}
	}
	return all.String()
}

// wantHidden fails the test if anything that was sent contains one of the secrets. It returns the
// paths that were searched.
func (w *wire) wantHidden(t *testing.T, secrets ...string) map[string]bool {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	searched := map[string]bool{}
	for _, s := range w.sent {
		_, path, _ := strings.Cut(s.what, " ")
		searched[path] = true
		for _, secret := range secrets {
			if at := strings.Index(clear(s.text), secret); at >= 0 {
				t.Errorf("the answer to %s contains %s: %s", s.what, secret, s.text)
			}
		}
	}
	return searched
}

// The search finds a subject in a JWT, in a URL and in plain text.
func TestLeaks_AreFound(t *testing.T) {
	payload := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"usr_secret"}`))
	for _, text := range []string{"x usr_secret y", "id_token=e30." + payload + ".AAAA", "/cb?user=usr%5Fsecret", `{"t":"e30.` + payload + `.x"}`} {
		if !strings.Contains(clear(text), "usr_secret") {
			t.Errorf("not found in %s", text)
		}
	}
}
