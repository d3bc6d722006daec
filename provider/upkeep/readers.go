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

// readers counts who reads the JWKS, so that whoever rotates can be told which
// programs have not read it since the next key was published.
type readers struct {
	db  *storage.DB
	now func() time.Time

	mu    sync.Mutex
	known map[string]bool                // families with a row, as of the last flush
	seen  map[string]*storage.JWKSReader // by family, since then
	fresh map[string]int                 // by network: families of seen that are not known
}

// count counts a fetch. network is asked for only when a family is new. Families that
// have a row are always counted; of new ones no more than the table could hold, from
// one network no more than it may begin: strangers who invent names displace nobody.
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

// newCount gives the count of a family that is the first of its name since the last flush.
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

// drain gives what was counted, those first that came most often: where places are
// few, the rare ones go without.
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

// putBack counts again what take gave and could not be written.
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

// setKnown notes which families have a row.
func (r *readers) setKnown(families []string) {
	known := make(map[string]bool, len(families))
	for _, family := range families {
		known[family] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = known
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

// CountReaders counts who reads a document; proxies are those whose word on the client's
// address is taken.
func (r *readers) CountReaders(document http.Handler, proxies []netip.Prefix) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet { // HEAD has seen no key
			network := func() string { return storage.Network(web.ClientAddress(req, proxies)) }
			r.count(req.UserAgent(), network, r.now())
		}
		document.ServeHTTP(w, req)
	})
}

// NoteReadersOnce writes down who has read the JWKS since the last time. Its caller
// calls it once a minute, and at the end.
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
