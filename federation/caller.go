package federation

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"signet/federation/foreign"
)

// caller makes the HTTP calls to one upstream.
type caller struct {
	client  *http.Client
	timeout time.Duration
}

// maxAnswer is the largest accepted answer in bytes. The largest key sets have a tenth of
// it.
const maxAnswer = 512 << 10

func newCaller(client *http.Client, timeout time.Duration) caller {
	own := *client
	own.Jar = nil
	own.CheckRedirect = followSameServer
	if own.Timeout == 0 || own.Timeout > timeout {
		own.Timeout = timeout
	}
	return caller{&own, timeout}
}

// withDeadline limits the time of a whole Start or Finish to that of two calls.
func (c caller) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 2*c.timeout)
}

// followSameServer follows redirects of a document within the same server. It returns every
// other redirect as the answer, which do refuses: codes, secrets and tokens are sent only
// to the configured addresses.
func followSameServer(next *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet || len(via) > 3 || first.Header.Get("Authorization") != "" ||
		next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host {
		return http.ErrUseLastResponse
	}
	return nil
}

func (c caller) get(ctx context.Context, step, address string, header http.Header) (response, error) {
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return response{}, untrusted("%s: the address is not a URL", step)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	return c.do(ctx, step, r)
}

func (c caller) post(ctx context.Context, step, address string, form url.Values, header http.Header) (response, error) {
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return response{}, untrusted("%s: the address is not a URL", step)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.do(ctx, step, r)
}

// do makes one call and reads the whole answer. ErrUnreachable: the network or the upstream
// failed, or its status asks for a later retry. ErrUntrusted: the upstream redirected to
// another server, has no valid certificate, or its answer is too large. do does not check
// other statuses and the content of the answer.
func (c caller) do(ctx context.Context, step string, r *http.Request) (response, error) {
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "application/json")
	}
	res, err := c.client.Do(r.WithContext(ctx))
	if err != nil {
		return response{}, classifyCallError(step, err)
	}
	defer res.Body.Close()
	body, err := readWhole(res)
	if err != nil {
		return response{}, classifyCallError(step, err)
	}
	a := response{res.StatusCode, res.Header, body}
	switch {
	case len(body) > maxAnswer:
		return a, untrusted("%s: the answer is larger than %d bytes", step, maxAnswer)
	case a.status >= 300 && a.status < 400:
		return a, untrusted("%s: status %d: redirects to other servers are not followed", step, a.status)
	}
	return a, retryableError(step, a)
}

// getPage requests a page as a browser without cookies would, and follows no redirect. It
// reads only status and header, because a page may have any size. Errors are those of do.
func (c caller) getPage(ctx context.Context, step, address string) (response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return response{}, untrusted("%s: the address is not a URL", step)
	}
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	own := *c.client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := own.Do(r)
	if err != nil {
		return response{}, classifyCallError(step, err)
	}
	res.Body.Close()
	a := response{status: res.StatusCode, header: res.Header}
	return a, retryableError(step, a)
}

// retryableError returns ErrUnreachable for a status that asks for a later retry; nil for
// all others.
func retryableError(step string, a response) error {
	if a.status >= 500 || a.status == http.StatusTooManyRequests || a.status == http.StatusRequestTimeout {
		return unreachable("%s: status %d", step, a.status)
	}
	return nil
}

// readWhole reads an answer up to one byte over the limit. It decodes gzip: requests do not
// name a coding, so that a server may choose one (RFC 9110, section 12.5.3), and some do.
func readWhole(res *http.Response) ([]byte, error) {
	var body io.Reader = res.Body
	if coding := strings.ToLower(strings.TrimSpace(res.Header.Get("Content-Encoding"))); coding == "gzip" || coding == "x-gzip" {
		unpacked, err := gzip.NewReader(res.Body)
		if err != nil {
			return nil, err
		}
		body = unpacked
	}
	return io.ReadAll(io.LimitReader(body, maxAnswer+1))
}

// response is one whole answer of an upstream.
type response struct {
	status int
	header http.Header
	body   []byte
}

// object reads the answer as a JSON object. It ignores the content type.
func (a response) object(step string) (object, error) {
	members, err := foreign.ReadMembers(a.body)
	if err != nil {
		return object{}, untrusted("%s: status %d, %s: the answer %v", step, a.status, foreign.ForError(a.contentType()), err)
	}
	return object{members}, nil
}

func (a response) contentType() string { return a.header.Get("Content-Type") }

// mediaType returns the content type in lower case without its parameters, which may be
// malformed.
func (a response) mediaType() string {
	t, _, _ := strings.Cut(a.contentType(), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// classifyCallError returns the error for a call without an answer. Its text names only the
// kind of failure, because errors of the transport quote the data of the other side.
func classifyCallError(step string, err error) error {
	var wrapped *url.Error // its Timeout method would hide the cause
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var (
		certificate *tls.CertificateVerificationError
		handshake   tls.RecordHeaderError
		alert       tls.AlertError
		network     net.Error
		errno       syscall.Errno
	)
	switch {
	case errors.As(err, &certificate), errors.As(err, &handshake), errors.As(err, &alert):
		return untrusted("%s: TLS failed: the server has no valid certificate, or does not speak TLS", step)
	case errors.Is(err, context.Canceled):
		return unreachable("%s: the request was cancelled", step)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return unreachable("%s: no answer in time", step)
	case errors.As(err, &errno):
		return unreachable("%s: %s", step, errno)
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return unreachable("%s: connection failed", step)
	}
	return untrusted("%s: the answer is not valid HTTP or too large, or this address is not allowed", step)
}

// checkBase returns an error if a URL of the settings cannot be the address of an upstream.
func checkBase(text string) error {
	const want = "must be an https URL without query (http for loopback hosts)"
	u, err := upstreamURL(text)
	switch {
	case err != nil:
		return fmt.Errorf(want+": %w", err)
	case u.RawQuery != "":
		return errors.New(want)
	}
	return nil
}

// upstreamURL parses a URL from the settings or a discovery document. It must be https, or
// http to a loopback host, and have no user, password or fragment.
func upstreamURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, fmt.Errorf("%q is not an absolute URL", foreign.ForError(text))
	case u.User != nil || u.Fragment != "":
		return nil, fmt.Errorf("the URL at %s has a user, a password or a fragment: remove it", u.Host)
	case u.Scheme != "https" && !(u.Scheme == "http" && foreign.IsLoopback(u.Hostname())):
		return nil, fmt.Errorf("%q is not https", foreign.ForError(text))
	}
	if err := foreign.CheckHostname(u.Hostname()); err != nil {
		return nil, fmt.Errorf("%q %w", foreign.ForError(text), err)
	}
	return u, nil
}
