package outbound

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// ErrTooLarge: the answer is larger than Config.MaxBody. Do returns it if the answer has a
// Content-Length; else Read returns it.
var ErrTooLarge = errors.New("answer is too large")

// limitedTransport is a transport that checks the URL before a call and limits the body.
type limitedTransport struct {
	inner     http.RoundTripper
	check     func(*url.URL) error
	maxBody   int64
	userAgent string
}

// RoundTrip makes a call if the URL is allowed. ErrTooLarge, and the errors of check.
func (g limitedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.refuse(r.URL); err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	out := r.Clone(r.Context())
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", g.userAgent)
	}
	res, err := g.inner.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	if res.ContentLength > g.maxBody {
		res.Body.Close()
		return nil, ErrTooLarge
	}
	res.Body = &limitedBody{body: res.Body, left: g.maxBody}
	return res, nil
}

// refuse returns an error if the URL must not be called. It also checks redirects, because
// each redirect is another round trip.
func (g limitedTransport) refuse(u *url.URL) error {
	if u.User != nil {
		return fmt.Errorf("call %s: the URL has a user or password, which is never sent: remove it", u.Host)
	}
	if err := g.check(u); err != nil {
		return fmt.Errorf("call %s: %w", u.Host, err)
	}
	return nil
}

// limitedBody returns ErrTooLarge at the limit. io.LimitReader would end without an error, and
// half a document may look like a whole one.
type limitedBody struct {
	body io.ReadCloser
	left int64
}

// Read reads the answer up to the limit. ErrTooLarge.
func (l *limitedBody) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.body.Read(p)
	l.left -= int64(n)
	if l.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}

// Close closes the answer.
func (l *limitedBody) Close() error { return l.body.Close() }
