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

// healthPatience is how long a server may take to answer.
const healthPatience = 5 * time.Second

// Health is the status of a server, and the URL that reported it.
type Health struct {
	Status string `json:"status"` // ok, unavailable, or unreachable
	URL    string `json:"url"`
}

// healthURL returns the URL for the health of a server with these settings on this machine.
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

// AskHealth asks the server on this machine with these settings whether it can serve requests,
// or with live only whether it runs. It waits at most 5 seconds. The error describes the
// problem; the Health is complete for --json in both cases.
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
		return found, fmt.Errorf("%s answers %d, but the answer is not from signet", at, answer.StatusCode)
	}
	found.Status = said.Status
	if answer.StatusCode != http.StatusOK {
		return found, fmt.Errorf("%s answers %d: it is %s", at, answer.StatusCode, said.Status)
	}
	return found, nil
}
