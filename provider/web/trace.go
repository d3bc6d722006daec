package web

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"signet/federation/foreign"
	"signet/storage"
)

// Trace collects the facts about one HTTP request for its log line and its events. It is
// not safe for concurrent use: it belongs to the goroutine that serves the request.
type Trace struct {
	ID      string // random; error pages show it as the reference
	Address string // IP address of the client, see ClientAddress
	Agent   string

	site  *Site // shows people a page where programs get JSON; nil in tests without one
	route string
	attrs []slog.Attr
	began time.Time

	requester party  // the client and user that send the request
	presented party  // the grant of the code or token in the request
	cause     string // stable code of the refusal or failure; "" if there is none
	refused   bool
	recorded  bool // the use case has taken care of the event, see MarkRecorded

	claimedClient, claimedRedirect string // unverified, as in the request
	claimsNoted                    bool   // they are in the log line already
}

// party has the ids for the event of a refusal. Each request has two parties, but most
// requests write no event, so party is kept smaller than storage.Event.
type party struct{ userID, clientID, sessionID, grantID, connector string }

func (p party) event() storage.Event {
	return storage.Event{UserID: p.userID, ClientID: p.clientID, SessionID: p.sessionID, GrantID: p.grantID, Connector: p.connector}
}

type traceKey struct{}

// TraceOf returns the trace of a request that Traced serves. In any other context it
// returns an empty trace, so that callers need no check.
func TraceOf(ctx context.Context) *Trace {
	if t, ok := ctx.Value(traceKey{}).(*Trace); ok {
		return t
	}
	return &Trace{}
}

// ShowPagesOf sets the site that renders pages for people at paths for programs, see
// WantsPage.
func (t *Trace) ShowPagesOf(site *Site) { t.site = site }

// Note adds a key to the request's log line. The value must never be a token, code, secret
// or cookie. An empty value is left out.
func (t *Trace) Note(key, value string) {
	if value != "" {
		t.attrs = append(t.attrs, slog.String(key, value))
	}
}

// Origin returns the origin of an act, for its event in storage.
func (t *Trace) Origin() storage.Origin {
	return storage.Origin{RequestID: t.ID, Address: t.Address, Agent: t.Agent}
}

// By returns the origin and the time of an act, for its event in storage.
func (t *Trace) By(at time.Time) storage.By { return storage.By{From: t.Origin(), At: at} }

// Traced gives each request a trace and writes one log line after the answer. A panic is
// logged with its stack, and the process continues to run; broken answers the request
// unless the handler has already begun its answer. Query strings are never logged, because
// they contain codes, states and hints.
func Traced(log *slog.Logger, trusted []netip.Prefix, now func() time.Time, broken, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := now()
		trace := &Trace{
			ID:      rand.Text(),
			Address: ClientAddress(r, trusted),
			Agent:   foreign.ForLog(r.UserAgent(), 256),
			began:   start,
		}
		r = r.WithContext(context.WithValue(r.Context(), traceKey{}, trace))
		recorded := &recorder{ResponseWriter: w, status: http.StatusOK}
		complete := trace.guard(recorded, r, broken, next)
		level := slog.LevelInfo
		if recorded.status >= 500 || !complete {
			level = slog.LevelError
		}
		attrs := append([]slog.Attr{
			slog.String("method", foreign.ForLog(r.Method, 32)),
			slog.String("route", trace.route),
			slog.String("path", foreign.ForLog(r.URL.Path, 256)),
			slog.Int("status", recorded.status),
			slog.Float64("took_ms", float64(now().Sub(start).Microseconds())/1000),
			slog.String("address", trace.Address),
			slog.String("request_id", trace.ID),
		}, trace.attrs...)
		log.LogAttrs(r.Context(), level, "request", attrs...)
		if !complete {
			panic(http.ErrAbortHandler) // closes the connection, so that half an answer does not look complete
		}
	})
}

// guard serves the request and reports whether the answer is complete. If the handler
// panics before it has begun its answer, guard removes the headers of the handler and lets
// broken answer.
func (t *Trace) guard(w *recorder, r *http.Request, broken, next http.Handler) (complete bool) {
	before := w.Header().Clone()
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler {
			panic(p)
		}
		t.Note("panic", fmt.Sprint(p))
		t.Note("stack", string(debug.Stack()))
		if complete = !w.wrote; complete {
			clear(w.Header())
			maps.Copy(w.Header(), before)
			broken.ServeHTTP(w, r)
		}
	}()
	next.ServeHTTP(w, r)
	return true
}

// recorder stores the status of the answer for the log line.
type recorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

// WriteHeader stores the first status.
func (s *recorder) WriteHeader(status int) {
	if !s.wrote {
		s.status, s.wrote = status, true
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write notes that the answer has begun, so that a later status is ignored.
func (s *recorder) Write(b []byte) (int, error) {
	s.wrote = true
	return s.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *recorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// UnixPeer is http.Request.RemoteAddr of every peer at a unix socket. Such a peer has no IP
// address. It is a trusted proxy: only a local program that may open the socket's file can
// connect, and the operator gives this right to the proxy.
const UnixPeer = "unix"

// ClientAddress returns the IP address of the client: the address of the peer, or, if the
// peer is a trusted proxy or at a unix socket, the last address in X-Forwarded-For that is not a trusted proxy.
// From any other peer the header is ignored, because every sender can set it. Forwarded
// and all similar headers are always ignored, because a proxy that sets X-Forwarded-For
// may pass them on unchanged. The result is "" if a peer at a unix socket names no address.
func ClientAddress(r *http.Request, trusted []netip.Prefix) string {
	peer, ok := parseAddress(r.RemoteAddr)
	switch {
	case r.RemoteAddr == UnixPeer:
	case !ok:
		return ""
	case !containsAddr(trusted, peer):
		return peer.String()
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(hops) {
		before, ok := parseAddress(strings.TrimSpace(text))
		if !ok {
			break
		}
		peer = before
		if !containsAddr(trusted, peer) {
			break
		}
	}
	if !peer.IsValid() {
		return ""
	}
	return peer.String()
}

// parseAddress reads an IP address with or without a port. It turns an IPv4-mapped IPv6
// address into IPv4, and removes the zone, which is only valid on one machine.
func parseAddress(text string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		var withPort netip.AddrPort
		withPort, err = netip.ParseAddrPort(text)
		address = withPort.Addr()
	}
	return address.Unmap().WithZone(""), err == nil
}

func containsAddr(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
