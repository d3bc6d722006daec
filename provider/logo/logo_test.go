package logo_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/provider/logo"
	"signet/provider/providertest"
	"signet/storage"
)

// host serves one picture and counts the requests.
type host struct {
	*httptest.Server
	requests atomic.Int64
	answer   atomic.Pointer[http.HandlerFunc]
}

func newHost(t *testing.T, content string) *host {
	t.Helper()
	h := &host{}
	h.show(content)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.requests.Add(1)
		(*h.answer.Load())(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *host) do(f http.HandlerFunc) { h.answer.Store(&f) }

// show answers with content, under a type that no picture has.
func (h *host) show(content string) {
	h.do(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, content)
	})
}

func (h *host) break503() {
	h.do(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
}

// encoded returns a picture of this size.
func encoded(t testing.TB, width, height int, encode func(io.Writer, image.Image) error) string {
	t.Helper()
	var content bytes.Buffer
	if err := encode(&content, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return content.String()
}

func pngOf(t testing.TB, width, height int) string { return encoded(t, width, height, png.Encode) }

func gifOf(t testing.TB) string {
	return encoded(t, 3, 2, func(w io.Writer, i image.Image) error { return gif.Encode(w, i, nil) })
}

func jpegOf(t testing.TB) string {
	return encoded(t, 3, 2, func(w io.Writer, i image.Image) error { return jpeg.Encode(w, i, nil) })
}

// webPs are headers of WebP pictures of 1 × 1 pixel: lossless, lossy and extended.
func webPs(t testing.TB) []string {
	t.Helper()
	lossless, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		string(lossless),
		"RIFF\x20\x00\x00\x00WEBPVP8 \x14\x00\x00\x00\x10\x00\x00\x9d\x01\x2a\x01\x00\x01\x00\x00\x00\x00\x00",
		"RIFF\x20\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	}
}

// with sets the logo of the testbed's client and returns its address at the provider.
func with(t *testing.T, b *providertest.Testbed, uri string) string {
	t.Helper()
	client := b.Client
	client.Metadata.LogoURI = uri
	b.ChangeClient(t, func(c *storage.Client) { c.Metadata.LogoURI = uri })
	return b.Issuer + logo.PathOf(client)
}

// get returns the answer to the request of a page.
func get(t *testing.T, address string) providertest.Answer {
	t.Helper()
	r := providertest.NewGetRequest(t, address)
	r.Header.Set("Accept", "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8")
	return providertest.Do(t, providertest.Direct, r)
}

// P-62: The logo of a client is on the pages of the sign-in.
// DR-05: Browsers load it from the provider, as a picture that can run nothing, and never from its host.
func TestLogo_PagesShowIt(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		content := pngOf(t, 200, 40)
		h := newHost(t, content)
		address := with(t, b, h.URL+"/logo.png?from=host")
		v := b.Visitor(t)
		login := v.Get(t, b.AuthorizeURL())
		consent := v.SignIn(t, login, providertest.Alice, providertest.Password)
		for name, page := range map[string]providertest.Stop{"sign-in": login, "consent": consent} {
			if !strings.Contains(page.Body, `<img class="logo" src="`+strings.TrimPrefix(address, b.Issuer)+`" alt="" width="128" height="40">`) || strings.Contains(page.Body, "from=host") {
				t.Errorf("%s page: want the logo at %s in\n%s", name, address, page.Body)
			}
		}
		if h.requests.Load() != 0 {
			t.Error("a page has fetched the logo")
		}
		a := get(t, address)
		for header, want := range map[string]string{
			"Content-Type": "image/png", "X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=86400", "Cross-Origin-Resource-Policy": "same-origin",
			"Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox",
		} {
			if got := a.Header.Get(header); got != want {
				t.Errorf("%s: got %q, want %q", header, got, want)
			}
		}
		if a.StatusCode != http.StatusOK || a.Body != content || len(a.Cookies()) != 0 {
			t.Errorf("got %d with %d bytes", a.StatusCode, len(a.Body))
		}
		r := providertest.NewGetRequest(t, address)
		r.Header.Set("If-None-Match", a.Header.Get("ETag"))
		if again := providertest.Do(t, providertest.Direct, r); again.StatusCode != http.StatusNotModified || again.Body != "" {
			t.Errorf("If-None-Match: got %d", again.StatusCode)
		}
		r, _ = http.NewRequest(http.MethodHead, address, nil)
		if head := providertest.Do(t, providertest.Direct, r); head.StatusCode != http.StatusOK || head.Body != "" || head.Header.Get("Content-Type") != "image/png" {
			t.Errorf("HEAD: got %d %v", head.StatusCode, head.Header)
		}
		with(t, b, "")
		if page := b.Visitor(t).Get(t, b.AuthorizeURL()); strings.Contains(page.Body, `class="logo"`) {
			t.Error("a client without a logo shows one")
		}
		if gone := get(t, address); gone.StatusCode != http.StatusNotFound {
			t.Errorf("the logo of the old address: got %d", gone.StatusCode)
		}
	})
}

// DR-05, DR-04: Only small pictures of known kinds are shown, whatever their host calls them.
func TestLogo_OnlyPictures(t *testing.T) {
	gzipped := func(content string) string {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = io.WriteString(w, content)
		_ = w.Close()
		return out.String()
	}
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		h := newHost(t, "")
		try := func(name, content, want, reason string) {
			t.Helper()
			h.show(content)
			logged := len(b.Log.String())
			a := get(t, with(t, b, h.URL+"/"+name))
			if want != "" && (a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != want) {
				t.Errorf("%s: got %d %s, want %s\n%s", name, a.StatusCode, a.Header.Get("Content-Type"), want, b.Log.String()[logged:])
			}
			if log := b.Log.String()[logged:]; want == "" && (a.StatusCode != http.StatusNotFound || a.Header.Get("Content-Type") != "image/gif" || a.Header.Get("Cache-Control") != "no-store" || !strings.Contains(log, reason) || !strings.Contains(log, `"cause":"logo_unavailable"`)) {
				t.Errorf("%s: got %d, want 404 and the reason %q in %s", name, a.StatusCode, reason, log)
			}
		}
		try("png", pngOf(t, 2048, 1), "image/png", "")
		try("gif", gifOf(t), "image/gif", "")
		try("jpeg", jpegOf(t), "image/jpeg", "")
		for i, content := range webPs(t) {
			try("webp"+strconv.Itoa(i), content, "image/webp", "")
		}
		try("svg", `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "", "not a PNG, JPEG, GIF or WebP")
		try("svg with a declaration", `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`, "", "not a PNG")
		try("html", `<!doctype html><script>alert(1)</script>`, "", "not a PNG")
		try("nothing", "", "", "not a PNG")
		try("ico", "\x00\x00\x01\x00\x01\x00", "", "not a PNG")
		try("bmp", "BM\x00\x00", "", "not a PNG")
		try("only the signature", "\x89PNG\r\n\x1a\n", "", "header is damaged")
		try("a damaged webp", "RIFF\x20\x00\x00\x00WEBPVP8Z0123456789012345", "", "header is damaged")
		try("many columns", pngOf(t, 2049, 1), "", "2049 × 1 pixels")
		try("many rows", pngOf(t, 1, 2049), "", "1 × 2049 pixels")
		try("many bytes", pngOf(t, 1, 1)+strings.Repeat("x", 256<<10), "", "more than 256 KB")
		try("many megabytes", pngOf(t, 1, 1)+strings.Repeat("x", 2<<20), "", "more than 256 KB")
		try("gzip", gzipped(pngOf(t, 1, 1)), "", "not a PNG")

		missing, err := gif.Decode(strings.NewReader(get(t, with(t, b, h.URL+"/gzip")).Body))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, alpha := missing.At(0, 0).RGBA(); alpha != 0 {
			t.Error("a missing logo is visible")
		}

		target := newHost(t, pngOf(t, 1, 1))
		h.do(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL, http.StatusFound) })
		if a := get(t, with(t, b, h.URL+"/elsewhere")); a.StatusCode != http.StatusNotFound || target.requests.Load() != 0 {
			t.Errorf("a redirect to another host: got %d", a.StatusCode)
		}
		h.do(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
		if a := get(t, with(t, b, h.URL+"/missing")); a.StatusCode != http.StatusNotFound || !strings.Contains(b.Log.String(), "answered with status 404") {
			t.Errorf("a missing picture: got %d", a.StatusCode)
		}
		_, writes := b.DB.Calls()
		for _, address := range []string{"/client-logo/nobody/x", "/client-logo/" + b.Client.ID + "/000000000000", "/client-logo/..%2f/x"} {
			if a := get(t, b.Issuer+address); a.StatusCode/100 != 4 {
				t.Errorf("%s: got %d", address, a.StatusCode)
			}
		}
		if _, after := b.DB.Calls(); after != writes {
			t.Errorf("requests for unknown logos: got %d write transactions, want 0", after-writes)
		}
	})
}

// Any number of requests share one fetch. A logo is used for a day and a failure for five minutes;
// while the host is down, the last logo stays.
func TestLogo_FetchedOnce(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		h := newHost(t, pngOf(t, 1, 1))
		address := with(t, b, h.URL+"/logo")
		want := func(step string, status int, requests int64) {
			t.Helper()
			if a := get(t, address); a.StatusCode != status {
				t.Errorf("%s: got %d, want %d", step, a.StatusCode, status)
			}
			if got := h.requests.Load(); got != requests {
				t.Errorf("%s: got %d requests, want %d", step, got, requests)
			}
		}
		providertest.Race(20, func(int) {
			if a := get(t, address); a.StatusCode != http.StatusOK {
				t.Errorf("parallel: got %d", a.StatusCode)
			}
		})
		want("parallel", http.StatusOK, 1)
		b.Advance(23 * time.Hour)
		want("on the same day", http.StatusOK, 1)
		h.break503()
		b.Advance(2 * time.Hour)
		want("on the next day, the host is down", http.StatusOK, 2)
		want("at once again", http.StatusOK, 2)
		h.show(gifOf(t))
		b.Advance(6 * time.Minute)
		want("the host is back", http.StatusOK, 3)
		if kind := get(t, address).Header.Get("Content-Type"); kind != "image/gif" {
			t.Errorf("the new logo is %s", kind)
		}
		h.break503()
		address = with(t, b, h.URL+"/other")
		want("another address, the host is down", http.StatusNotFound, 4)
		want("at once again", http.StatusNotFound, 4)
		b.Advance(6 * time.Minute)
		want("six minutes later", http.StatusNotFound, 5)
	})
}

// A page never waits for a logo, and a browser that leaves does not end the fetch for others.
func TestLogo_PagesDoNotWait(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		h := newHost(t, "")
		content, arrived, released := pngOf(t, 1, 1), make(chan struct{}, 1), make(chan struct{})
		h.do(func(w http.ResponseWriter, _ *http.Request) {
			arrived <- struct{}{}
			<-released
			_, _ = io.WriteString(w, content)
		})
		address := with(t, b, h.URL)
		shown := make(chan providertest.Answer)
		go func() { shown <- get(t, address) }()
		<-arrived
		b.Visitor(t).Get(t, b.AuthorizeURL()).Form(t)
		close(released)
		if a := <-shown; a.StatusCode != http.StatusOK {
			t.Errorf("got %d", a.StatusCode)
		}
	})
}

// All remembered logos together are limited.
func TestLogo_MemoryIsLimited(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		h := newHost(t, pngOf(t, 1, 1)+strings.Repeat("x", 250<<10))
		first := with(t, b, h.URL+"/first")
		get(t, first)
		for i := range 70 {
			b.Advance(time.Second)
			if a := get(t, with(t, b, h.URL+"/"+strconv.Itoa(i))); a.StatusCode != http.StatusOK {
				t.Fatalf("got %d", a.StatusCode)
			}
		}
		get(t, with(t, b, h.URL+"/first"))
		if got := h.requests.Load(); got != 72 {
			t.Errorf("got %d requests, want 72: the first logo was forgotten", got)
		}
	})
}

// DR-06: The logo of an unapproved client is not shown, because it could be the one of somebody else.
// P-60: Its registration has it all the same.
// DR-02: An address that a stranger registered never leads to this machine.
func TestLogo_UnapprovedClientShowsNone(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		made := b.RegisterItself(t, "", `{"redirect_uris":["https://rp.example.org/cb"],"logo_uri":"https://rp.example.org/logo.png"}`)
		if made["logo_uri"] != "https://rp.example.org/logo.png" {
			t.Errorf("registered %v", made)
		}
		client, err := b.DB.Client(t.Context(), made["client_id"].(string))
		if err != nil {
			t.Fatal(err)
		}
		app := b.AsClient(client, "")
		redirect := []string{"redirect_uri", "https://rp.example.org/cb"}
		if page := app.Visitor(t).Get(t, app.AuthorizeURL(redirect...)); strings.Contains(page.Body, `class="logo"`) {
			t.Error("the page of an unapproved client shows its logo")
		}
		h := newHost(t, pngOf(t, 1, 1))
		if err := b.DB.ApproveClient(t.Context(), client.ID, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		for _, uri := range []string{h.URL, strings.Replace(h.URL, "http://", "https://", 1)} {
			_, err := b.DB.ReviseClient(t.Context(), client.ID, func(c *storage.Client) error { c.Metadata.LogoURI = uri; return nil }, storage.By{At: b.Now()})
			if err != nil {
				t.Fatal(err)
			}
			b.Follow(t)
			page := app.Visitor(t).Get(t, app.AuthorizeURL(redirect...))
			_, after, found := strings.Cut(page.Body, `<img class="logo" src="`)
			path, _, _ := strings.Cut(after, `"`)
			if a := get(t, b.Issuer+path); !found || a.StatusCode != http.StatusNotFound || h.requests.Load() != 0 {
				t.Errorf("%s: got %d after %d requests; shown: %v", uri, a.StatusCode, h.requests.Load(), found)
			}
		}
		for _, refused := range []string{"http://rp.example.org/logo.png", "javascript:alert(1)", "data:image/png;base64,AAAA", "https://127.0.0.1/logo.png", "https://logo.internal/x"} {
			a := b.SendRegistration(t, http.MethodPost, b.Issuer+"/register", "", `{"redirect_uris":["https://rp.example.org/cb"],"logo_uri":"`+refused+`"}`)
			if a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: got %d %s", refused, a.StatusCode, a.Body)
			}
		}
	}, providertest.WithRegistration(directory.RegistrationOpen))
}

// FuzzKindOf reads pictures of strangers. A picture that is accepted has a kind that browsers show as a
// picture.
func FuzzKindOf(f *testing.F) {
	for _, content := range append(webPs(f), pngOf(f, 3, 2), gifOf(f), jpegOf(f), "<svg/>", "RIFF\x00\x00\x00\x00WEBPVP8L", "") {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		kind, err := logo.KindOf(content)
		if (err == nil) != (kind != "") || err == nil && kind != http.DetectContentType(content) {
			t.Errorf("got %q, %v", kind, err)
		}
	})
}
