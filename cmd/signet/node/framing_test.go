package node_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

const behind = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

// doubtful holds requests with an ambiguous end. The bytes after each of them must never be
// read as another request (RFC 9112, section 6.1).
var doubtful = map[string]string{
	"a length and chunks":            "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"chunks and a length":            "POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	"a length of nothing and chunks": "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
	"both at a document":             "GET /jwks HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"both at a file":                 "GET /static/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"both at no path":                "GET /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"both by a wrong method":         "BREW /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"both at the server":             "OPTIONS * HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"both, and an expectation":       "POST /token HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"chunks alone":                   "POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"chunks before chunks came up":   "POST /login HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
	"both before chunks came up":     "POST /login HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
	"two codings":                    "POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"a coding that is none":          "POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"chunks twice":                   "POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"identity":                       "POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n",
	"no coding":                      "POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\nContent-Length: 0\r\n\r\n",
	"two lengths":                    "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
	"two lengths in one":             "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 0\r\n\r\n",
	"a length with a sign":           "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n",
	"a length below nothing":         "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
	"a length in letters":            "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 0x0\r\n\r\n",
	"a space before the colon":       "POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
	"a chunk size that is none":      "POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
	"a chunk of another line ending": "POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n",
}

// TestFraming_NothingBehindADoubtfulRequestIsServed sends the requests to a real listener.
func TestFraming_NothingBehindADoubtfulRequestIsServed(t *testing.T) {
	t.Parallel()
	i := signettest.NewInstance(t)
	i.Serve(t)
	wantFraming(t, func(t *testing.T) net.Conn { return dial(t, i) })
}

func TestFraming_NothingBehindADoubtfulRequestIsServedOverTLS(t *testing.T) {
	t.Parallel()
	i := startTLS(t, "localhost")
	wantFraming(t, func(t *testing.T) net.Conn {
		t.Helper()
		config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost", NextProtos: []string{"http/1.1"}}
		config.RootCAs.AddCert(i.ca.certificate)
		conn, err := tls.Dial("tcp", strings.TrimPrefix(i.issuer, "https://"), config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	})
}

func wantFraming(t *testing.T, open func(t *testing.T) net.Conn) {
	for name, said := range doubtful {
		t.Run(name, func(t *testing.T) {
			statuses := answersTo(t, open(t), said+behind)
			if len(statuses) != 1 {
				t.Errorf("%d answers: %v", len(statuses), statuses)
			}
		})
	}
	t.Run("nothing doubtful", func(t *testing.T) {
		length := "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
		last := strings.Replace(behind, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
		if statuses := answersTo(t, open(t), length+behind+last); len(statuses) != 3 {
			t.Errorf("one connection serves %v, want three answers", statuses)
		}
	})
}

// answersTo sends bytes and returns the statuses of all answers until the server closes the
// connection. It ignores 100 Continue.
func answersTo(t *testing.T, peer net.Conn, said string) []int {
	t.Helper()
	if err := peer.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(peer, said); err != nil {
		t.Fatal(err)
	}
	var statuses []int
	for read := bufio.NewReader(peer); ; {
		if _, err := read.Peek(1); err != nil {
			if wait, ok := err.(net.Error); ok && wait.Timeout() {
				t.Errorf("the connection is still open after %v", statuses)
			}
			return statuses
		}
		answer, err := http.ReadResponse(read, nil)
		if err != nil {
			t.Fatalf("after %v: %v", statuses, err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusContinue {
			statuses = append(statuses, answer.StatusCode)
		}
	}
}
