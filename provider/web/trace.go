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

// Trace is what is known of one HTTP request for its log line and its events. It
// belongs to the goroutine that serves the request.
type Trace struct {
	ID      string // random; shown on error pages as the reference
	Address string // the client's address, as far as it can be trusted
	Agent   string

	site  *Site // that tells people what programs are told as JSON; nil outside a front
	route string
	attrs []slog.Attr
	began time.Time

	requester party  // the client and user that ask
	presented party  // whose grant they ask with
	cause     string // of the refusal or failure; "" for none
	refused   bool
	recorded  bool // the refusal's event, by a use case

	claimedClient, claimedRedirect string // as the request has them, for a refusal
	claimsNoted                    bool   // in the log line
}

// party names the rows that the event of a refusal is about. Each request has two of
// them, and most requests no event: they are smaller than two storage.Event.
type party struct{ userID, clientID, sessionID, grantID, connector string }

func (p party) event() storage.Event {
	return storage.Event{UserID: p.userID, ClientID: p.clientID, SessionID: p.sessionID, GrantID: p.grantID, Connector: p.connector}
}

type traceKey struct{}

// TraceOf gives the trace of a request that came in through Traced. Outside one
// it gives an empty trace, so that callers need not ask.
func TraceOf(ctx context.Context) *Trace {
	if t, ok := ctx.Value(traceKey{}).(*Trace); ok {
		return t
	}
	return &Trace{}
}

// ShowPagesOf notes the site that answers people at the paths of programs, see WantsPage.
func (t *Trace) ShowPagesOf(site *Site) { t.site = site }

// Note adds a key to the request's log line. Never a token, code, secret or cookie.
func (t *Trace) Note(key, value string) {
	if value != "" {
		t.attrs = append(t.attrs, slog.String(key, value))
	}
}

// Origin tells storage where an act came from.
func (t *Trace) Origin() storage.Origin {
	return storage.Origin{RequestID: t.ID, Address: t.Address, Agent: t.Agent}
}

// By tells storage where an act came from, and when it was done.
func (t *Trace) By(at time.Time) storage.By { return storage.By{From: t.Origin(), At: at} }

// Traced gives each request its trace and writes one log line when it is
// answered. A panic is logged with its stack, and the process lives; broken
// answers for the handler, unless that has begun to. Query strings are never
// logged: they carry codes, states and hints.
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
		seen := &recorder{ResponseWriter: w, status: http.StatusOK}
		whole := trace.guard(seen, r, broken, next)
		level := slog.LevelInfo
		if seen.status >= 500 || !whole {
			level = slog.LevelError
		}
		attrs := append([]slog.Attr{
			slog.String("method", foreign.ForLog(r.Method, 32)),
			slog.String("route", trace.route),
			slog.String("path", foreign.ForLog(r.URL.Path, 256)),
			slog.Int("status", seen.status),
			slog.Float64("took_ms", float64(now().Sub(start).Microseconds())/1000),
			slog.String("address", trace.Address),
			slog.String("request_id", trace.ID),
		}, trace.attrs...)
		log.LogAttrs(r.Context(), level, "request", attrs...)
		if !whole {
			panic(http.ErrAbortHandler) // closes the connection: half an answer must not look like one
		}
	})
}

// guard serves the request and reports whether its answer is whole. When the
// handler panics before it has begun to answer, whatever headers it had prepared
// are dropped and broken answers.
func (t *Trace) guard(w *recorder, r *http.Request, broken, next http.Handler) (whole bool) {
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
		if whole = !w.wrote; whole {
			clear(w.Header())
			maps.Copy(w.Header(), before)
			broken.ServeHTTP(w, r)
		}
	}()
	next.ServeHTTP(w, r)
	return true
}

// recorder remembers the status for the log line.
type recorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

// WriteHeader remembers the first status.
func (s *recorder) WriteHeader(status int) {
	if !s.wrote {
		s.status, s.wrote = status, true
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write notes that the answer has begun: a later status counts no more.
func (s *recorder) Write(b []byte) (int, error) {
	s.wrote = true
	return s.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *recorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// ClientAddress is the peer's address, or, if the peer is a trusted proxy, the
// last address in X-Forwarded-For that is not one. From any other peer the
// header is ignored: it says what the sender likes. So are Forwarded and all
// other headers, which a proxy that sets this one may pass on as it got them.
func ClientAddress(r *http.Request, trusted []netip.Prefix) string {
	peer, ok := parseAddress(r.RemoteAddr)
	if !ok {
		return ""
	}
	if !containsAddr(trusted, peer) {
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
	return peer.String()
}

// parseAddress reads an address, with a port or without. An IPv4 address that is written as
// IPv6 is the same address, and a zone means something on that machine alone.
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
