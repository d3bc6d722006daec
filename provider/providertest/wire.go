package providertest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// NewGetRequest returns a GET request to the target, without sending it.
func NewGetRequest(t *testing.T, target string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// SendRaw sends head, a Content-Length and body over a new connection, and reads one answer.
// The head may break HTTP; method is the method that the answer belongs to.
func (b *Testbed) SendRaw(t *testing.T, method, head, body string) Answer {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.Issuer, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, head+fmt.Sprintf("Content-Length: %d\r\nConnection: close\r\n\r\n", len(body))+body); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", head, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{response, string(content)}
}

// Host returns the Host header line of the issuer, for SendRaw.
func (b *Testbed) Host() string { return "Host: " + strings.TrimPrefix(b.Issuer, "http://") + "\r\n" }

// Methods are the methods of HTTP and two invalid ones.
var Methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect, "BREW", "get",
}
