package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/exit"
)

// healthPatience is how long a server may take to say that it is well.
const healthPatience = 5 * time.Second

func (p *program) healthCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask the server on this machine whether it is well, for container checks",
		Long: `Ask the server that runs with these settings whether it can serve requests: it has its
keys, and its database answers. Exit code 0 if so, 7 if not or if nobody answers
within 5 seconds. With --live only whether it runs: a database that is away is no
reason to restart it.

It is asked at the setting listen. With TLS its certificate is not checked: nothing
secret is sent, and it is made out to the name that the world uses.`,
		Example: `  signet health
  signet health --live`,
		Args: exactly(),
	}
	live := c.Flags().Bool("live", false, "ask only whether it runs")
	asJSON := jsonFlag(c)
	file := configFlags(c, "issuer", "listen")
	c.RunE = func(c *cobra.Command, _ []string) error {
		config, err := p.config(c, *file)
		if err != nil {
			return err
		}
		at, err := healthURL(config, *live)
		if err != nil {
			return err
		}
		found, err := askHealth(c.Context(), at)
		if *asJSON {
			err = errors.Join(p.writeJSON(found), err)
		}
		if err != nil {
			return exit.New(exit.Unreachable, err, "look at the server's log; is it running, with these settings?")
		}
		if !*asJSON {
			_, err = fmt.Fprintln(p.stdout, found.Status)
		}
		return err
	}
	return c
}

// health is what a server says of itself, and where it was asked.
type health struct {
	Status string `json:"status"` // ok, unavailable, or unreachable
	URL    string `json:"url"`
}

// healthURL is where a server with these settings answers on this machine.
func healthURL(c Config, live bool) (string, error) {
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
	if c.TLS.given() {
		at.Scheme = "https"
	}
	if live {
		at.Path = issuer.Path + "/healthz"
	}
	return at.String(), nil
}

func askHealth(ctx context.Context, at string) (health, error) {
	found := health{Status: "unreachable", URL: at}
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
