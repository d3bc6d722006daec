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
	"time"

	"signet/cmd/signet/config"
)

// healthPatience is how long a server may take to say that it is well.
const healthPatience = 5 * time.Second

// Health is what a server says of itself, and where it was asked.
type Health struct {
	Status string `json:"status"` // ok, unavailable, or unreachable
	URL    string `json:"url"`
}

// healthURL is where a server with these settings answers on this machine.
func healthURL(c config.Config, live bool) (string, error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", fmt.Errorf("read listen: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return "", fmt.Errorf("read issuer: %w", err)
	}
	at := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: issuer.Path + "/readyz"}
	if c.TLS.IsSet() {
		at.Scheme = "https"
	}
	if live {
		at.Path = issuer.Path + "/healthz"
	}
	return at.String(), nil
}

// AskHealth asks the server on this machine with these settings whether it can serve
// requests, or with live only whether it runs. It waits for 5 seconds at most. The error
// says what is wrong; the Health is good for --json either way.
func AskHealth(ctx context.Context, c config.Config, live bool) (Health, error) {
	at, err := healthURL(c, live)
	if err != nil {
		return Health{}, err
	}
	return askHealth(ctx, at)
}

func askHealth(ctx context.Context, at string) (Health, error) {
	found := Health{Status: "unreachable", URL: at}
	client := http.Client{
		Timeout: healthPatience,
		Transport: &http.Transport{
			Proxy:           nil, // never through HTTP_PROXY
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
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
		return found, fmt.Errorf("%s answers %d, and not as signet does", at, answer.StatusCode)
	}
	found.Status = said.Status
	if answer.StatusCode != http.StatusOK {
		return found, fmt.Errorf("%s answers %d: it is %s", at, answer.StatusCode, said.Status)
	}
	return found, nil
}
