package provider

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"signet/storage"
)

// jwksReaders counts who reads the JWKS, so that whoever rotates can be told which
// programs have not read it since the next key was published.
type jwksReaders struct {
	mu   sync.Mutex
	seen map[string]storage.JWKSReader // by family, since the last flush
}

// maxFamilies bounds what strangers can make us remember between two flushes.
const maxFamilies = 200

func (r *jwksReaders) note(agent string, at time.Time) {
	family := familyOf(agent)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.seen[family]; !known && len(r.seen) >= maxFamilies {
		family = storage.OtherReaders
	}
	if r.seen == nil {
		r.seen = map[string]storage.JWKSReader{}
	}
	r.seen[family] = storage.JWKSReader{Family: family, Fetches: r.seen[family].Fetches + 1, SeenAt: storage.At(at)}
}

func (r *jwksReaders) take() []storage.JWKSReader {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []storage.JWKSReader
	for _, one := range r.seen {
		list = append(list, one)
	}
	r.seen = nil
	return list
}

// familyOf is the product that a User-Agent names first, without its version:
// jose/v6.2.17 is jose, mod_auth_openidc-2.4.12 is mod_auth_openidc.
func familyOf(agent string) string {
	const longest = 64
	agent = agent[:min(len(agent), 2*longest)]
	end := strings.IndexFunc(agent, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", c)
	})
	if end >= 0 {
		agent = agent[:end]
	}
	for i := 1; i+1 < len(agent); i++ {
		if agent[i] == '-' && agent[i+1] >= '0' && agent[i+1] <= '9' {
			agent = agent[:i]
		}
	}
	if agent == "" {
		return "unnamed"
	}
	return agent[:min(len(agent), longest)]
}

// noted counts who reads a document.
func (r *jwksReaders) noted(document http.Handler, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodGet { // HEAD has seen no key
			r.note(q.UserAgent(), now())
		}
		document.ServeHTTP(w, q)
	})
}

// NoteReadersOnce writes down who has read the JWKS since the last time. Its caller
// calls it once a minute, and at the end.
func (p *Provider) NoteReadersOnce(ctx context.Context, at time.Time) error {
	seen := p.readers.take()
	if len(seen) == 0 {
		return nil
	}
	slices.SortFunc(seen, func(a, b storage.JWKSReader) int { return strings.Compare(a.Family, b.Family) }) // one order of locks
	return p.db.NoteJWKSReaders(ctx, seen, at)
}
