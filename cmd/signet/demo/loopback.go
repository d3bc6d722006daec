package demo

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/socket"
	"signet/federation/foreign"
	"signet/provider/web"
)

// atLoopback serves only requests for a loopback host name. Otherwise a page on the internet
// could point its host name at this machine (DNS rebinding), and read and post everything
// here with the passwords that are stored in files.
func atLoopback(issuer string, log *slog.Logger, next http.Handler) http.Handler {
	refuse := web.Headers(false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.Warn("refused a request for another host", "code", "host_not_loopback", "host", r.Host)
		http.Error(w, "host_not_loopback: signet dev answers only localhost and loopback addresses. Open "+issuer+
			", or run signet serve for other hosts.", http.StatusMisdirectedRequest)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if foreign.IsLoopbackAuthority(r.Host) {
			next.ServeHTTP(w, r)
			return
		}
		refuse.ServeHTTP(w, r)
	})
}

// listenLoopback listens on the address and returns the issuer that belongs to it. The host
// stays as it was given: for a browser, localhost and 127.0.0.1 are two sites.
func listenLoopback(ctx context.Context, address string) (net.Listener, string, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || !foreign.IsLoopback(host) {
		return nil, "", exit.New(
			exit.Usage, fmt.Errorf("--listen %s is not a loopback host and a port", address),
			"dev is for this machine only: --listen localhost:8080; for others to reach it: signet serve",
		)
	}
	listener, err := socket.Listen(ctx, address, 0) // no unix socket: the host is checked
	if err != nil {
		return nil, "", err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return listener, "http://" + net.JoinHostPort(host, port), err
}

// checkApp returns an error if app is not an origin that a browser on this machine can have.
func checkApp(app string) error {
	if app == "" {
		return nil
	}
	if u, err := url.Parse(app); config.CheckOrigin(app) != nil || err != nil || u.Scheme != "http" || !foreign.IsLoopback(u.Hostname()) {
		return exit.New(
			exit.Usage, fmt.Errorf("--app %s is not the origin of an app on this machine", app),
			"write scheme, host and port alone: --app http://localhost:5173",
		)
	}
	return nil
}
