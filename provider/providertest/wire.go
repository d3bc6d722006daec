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

// NewGetRequest makes a GET request.
func NewGetRequest(t *testing.T, target string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// SendRaw sends bytes that no HTTP client would, and reads one answer.
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

// Host is the issuer's Host header as a line of a raw request.
func (b *Testbed) Host() string { return "Host: " + strings.TrimPrefix(b.Issuer, "http://") + "\r\n" }

// Methods are those of HTTP, and two that are none.
var Methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect, "BREW", "get",
}
