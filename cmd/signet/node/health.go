package node

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signet/cmd/signet/config"
	"signet/cmd/signet/socket"
)

// healthPatience is how long a server may take to answer.
const healthPatience = 5 * time.Second

// Health is the status of a server, and the URL that reported it.
type Health struct {
	Status string `json:"status"` // ok, unavailable, or unreachable
	URL    string `json:"url"`
}

// healthURL returns the URL for the health of a server with these settings on this machine.
// For a unix socket, the host contains its path: the URL is for people only.
func healthURL(c config.Config, live bool) (string, error) {
	place, err := healthPlace(c.Listen)
	if err != nil {
		return "", err
	}
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return "", fmt.Errorf("read issuer: %w", err)
	}
	at := url.URL{Scheme: "http", Path: issuer.Path + "/readyz"}
	if c.TLS.IsSet() {
		at.Scheme = "https"
	}
	if live {
		at.Path = issuer.Path + "/healthz"
	}
	return at.Scheme + "://" + place + at.Path, nil
}

// healthPlace returns the host and the port at which a server on this machine answers that
// listens on the address. For a unix socket it returns the form of nginx, unix:/path:.
func healthPlace(listen string) (string, error) {
	if _, is := socket.UnixPath(listen); is {
		return listen + ":", nil
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("read listen: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port), nil
}

// AskHealth asks the server on this machine with these settings whether it can serve requests,
// or with live only whether it runs. It waits at most 5 seconds. The error describes the
// problem; the Health is complete for --json in both cases.
func AskHealth(ctx context.Context, c config.Config, live bool) (Health, error) {
	at, err := healthURL(c, live)
	if err != nil {
		return Health{}, err
	}
	return askHealth(ctx, c.Listen, at)
}

func askHealth(ctx context.Context, listen, at string) (Health, error) {
	found := Health{Status: "unreachable", URL: at}
	client := http.Client{
		Timeout: healthPatience,
		Transport: &http.Transport{
			Proxy: nil, // never through HTTP_PROXY
			DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				if _, is := socket.UnixPath(listen); is {
					address = listen
				}
				return socket.Dial(ctx, address)
			},
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	asked := at
	if _, is := socket.UnixPath(listen); is {
		asked = strings.Replace(at, listen+":", "localhost", 1)
	}
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, asked, nil)
	if err != nil {
		return found, err
	}
	answer, err := client.Do(ask)
	if err != nil {
		return found, fmt.Errorf("no answer: %w", err)
	}
	defer answer.Body.Close()
	var said struct{ Status string }
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<10)).Decode(&said); err != nil || said.Status == "" {
		return found, fmt.Errorf("%s answers %d, but the answer is not from signet", at, answer.StatusCode)
	}
	found.Status = said.Status
	if answer.StatusCode != http.StatusOK {
		return found, fmt.Errorf("%s answers %d: it is %s", at, answer.StatusCode, said.Status)
	}
	return found, nil
}
