package demo

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"signet/federation"
	"signet/federation/federationtest"
	"signet/provider"
	"signet/provider/interaction"
)

// pretend holds the pretend Google and GitHub: real HTTP servers with the quirks of the
// originals. Signing in through them needs no credentials.
type pretend struct {
	google *federationtest.Google
	github *federationtest.GitHub
}

// startPretend starts them on the two ports after the issuer's, so that they have the same
// addresses after the next start. If a port is in use, it takes a free one.
func startPretend(issuer string, now func() time.Time) (pretend, error) {
	var up pretend
	var err error
	setup := func(id string) federationtest.Setup {
		return federationtest.Setup{RedirectURIs: []string{interaction.CallbackURI(issuer, id)}, Now: now}
	}
	google := setup("google")
	google.Accounts = append(federationtest.GoogleAccounts(), federationtest.Account{ // the demo user has the same email address
		Key: "demo", Subject: "113333333333333333333", Email: UserEmail, Verified: true, Name: "Demo Person",
	})
	up.google, err = startAtOffset(issuer, 1, google, federationtest.StartGoogle)
	if err != nil {
		return up, err
	}
	github := setup("github")
	github.Accounts = append(federationtest.GitHubAccounts(), federationtest.Account{ // the same person as at Google
		Key: "ada", ID: 583240, Username: "ada", Name: "Ada Example",
		Emails: []federationtest.GitHubEmail{{Email: "ada.example@gmail.com", Primary: true, Verified: true}},
	})
	up.github, err = startAtOffset(issuer, 2, github, federationtest.StartGitHub)
	if err != nil {
		up.google.Close()
	}
	return up, err
}

func (up pretend) close() {
	up.google.Close()
	up.github.Close()
}

// startAtOffset starts one of them on the port that lies after ports above the issuer's.
func startAtOffset[T any](issuer string, after int, setup federationtest.Setup, start func(federationtest.Setup) (T, error)) (T, error) {
	var none T
	u, err := url.Parse(issuer)
	if err != nil {
		return none, err
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return none, err
	}
	setup.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(port+after))
	started, err := start(setup)
	if errors.Is(err, syscall.EADDRINUSE) || port+after > 65535 {
		setup.Listen = ""
		return start(setup)
	}
	return started, err
}

// connectors returns the settings of the connectors to them.
func (up pretend) connectors() []provider.Connector {
	return []provider.Connector{
		{SignUp: true, Config: federation.Config{
			ID: "google", Kind: federation.Google, Issuer: up.google.URL,
			ClientID: up.google.ClientID, ClientSecret: federation.NewSecret(up.google.ClientSecret),
		}},
		{SignUp: true, Config: federation.Config{
			ID: "github", Kind: federation.GitHub, BaseURL: up.github.URL,
			ClientID: up.github.ClientID, ClientSecret: federation.NewSecret(up.github.ClientSecret),
		}},
	}
}
