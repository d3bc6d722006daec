package outbound

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// ErrTooLarge: the answer is larger than Config.MaxBody. It comes from Do when the
// length was announced, and from Read otherwise.
var ErrTooLarge = errors.New("answer is too large")

// limitedTransport is a transport that refuses a URL before and a body after its time.
type limitedTransport struct {
	inner     http.RoundTripper
	check     func(*url.URL) error
	maxBody   int64
	userAgent string
}

// RoundTrip makes a call within the bounds, or none.
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

// refuse runs for every hop, since each redirect is a round trip of its own.
func (g limitedTransport) refuse(u *url.URL) error {
	if u.User != nil {
		return fmt.Errorf("call %s: a name or password in a URL is not sent", u.Host)
	}
	if err := g.check(u); err != nil {
		return fmt.Errorf("call %s: %w", u.Host, err)
	}
	return nil
}

// limitedBody fails where io.LimitReader would end: half a document may read as a
// whole one.
type limitedBody struct {
	body io.ReadCloser
	left int64
}

// Read gives the answer as far as it is within the limit.
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

// Close ends the reading of an answer.
func (l *limitedBody) Close() error { return l.body.Close() }
