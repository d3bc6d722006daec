package upkeep

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"signet/provider/web"
	"signet/storage"
)

// readers counts the programs that fetch the JWKS, by family (see familyOf). Operators can so see,
// before a key rotation, which programs have not fetched the next key yet.
type readers struct {
	db  *storage.DB
	now func() time.Time

	mu    sync.Mutex
	known map[string]bool                // families that had a row at the last write
	seen  map[string]*storage.JWKSReader // by family, since the last write
	fresh map[string]int                 // by network: number of families in seen that are not known
}

// count counts a fetch. It calls network only for a new family. Families that have a row are
// always counted. The number of new families is limited, in total and for each network, so
// that invented names cannot displace known programs.
func (r *readers) count(agent string, network func() string, at time.Time) {
	family := familyOf(agent)
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.seen[family]
	if one == nil {
		one = r.newCount(family, network)
	}
	one.Fetches, one.SeenAt = one.Fetches+1, storage.At(at)
}

// newCount returns the counter for a family that has none since the last write. Over a limit it
// is the counter of storage.OtherReaders.
func (r *readers) newCount(family string, network func() string) *storage.JWKSReader {
	if r.seen == nil {
		r.seen, r.fresh = map[string]*storage.JWKSReader{}, map[string]int{}
	}
	one := &storage.JWKSReader{Family: family}
	if family != storage.OtherReaders && !r.known[family] {
		one.Network = network()
		if len(r.seen) >= 2*storage.MaxReaders || r.fresh[one.Network] >= storage.MaxReadersOfOne {
			one.Family, one.Network = storage.OtherReaders, ""
		} else {
			r.fresh[one.Network]++
		}
	}
	if others := r.seen[one.Family]; others != nil {
		return others
	}
	r.seen[one.Family] = one
	return one
}

// drain returns the counters and resets them. The families with most fetches come first,
// because the table may not have room for all.
func (r *readers) drain() []storage.JWKSReader {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []storage.JWKSReader
	for _, one := range r.seen {
		list = append(list, *one)
	}
	r.seen, r.fresh = nil, nil
	slices.SortFunc(list, func(a, b storage.JWKSReader) int {
		return cmp.Or(cmp.Compare(b.Fetches, a.Fetches), strings.Compare(a.Family, b.Family))
	})
	return list
}

// putBack adds counters again that drain returned and that could not be written.
func (r *readers) putBack(list []storage.JWKSReader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, before := range list {
		one := r.seen[before.Family]
		if one == nil {
			one = r.newCount(before.Family, func() string { return before.Network })
		}
		one.Fetches, one.SeenAt = one.Fetches+before.Fetches, max(one.SeenAt, before.SeenAt)
	}
}

// setKnown sets the families that have a row.
func (r *readers) setKnown(families []string) {
	known := make(map[string]bool, len(families))
	for _, family := range families {
		known[family] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = known
}

// familyOf returns the first product name in a User-Agent, without its version:
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

// CountReaders returns a handler that counts the GET requests for a document. proxies lists
// the proxies whose headers are trusted for the client's address.
func (r *readers) CountReaders(document http.Handler, proxies []netip.Prefix) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet { // a HEAD request returns no keys
			network := func() string { return storage.Network(web.ClientAddress(req, proxies)) }
			r.count(req.UserAgent(), network, r.now())
		}
		document.ServeHTTP(w, req)
	})
}

// NoteReadersOnce stores the counters since the last call. If that fails, the next call stores
// them. The caller calls it once a minute, and when the node stops.
func (r *readers) NoteReadersOnce(ctx context.Context, at time.Time) error {
	seen := r.drain()
	if len(seen) == 0 {
		return nil
	}
	families, err := r.db.RecordJWKSReaders(ctx, seen, at)
	if err != nil {
		r.putBack(seen)
		return err
	}
	r.setKnown(families)
	return nil
}
