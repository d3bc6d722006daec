package federation

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"

	"signet/federation/foreign"
)

const (
	// metadataLife is how long a discovery document and the keys are used before
	// they are fetched again: a key that the upstream withdrew is not believed
	// longer.
	metadataLife = time.Hour
	// staleLife is how long they serve while the upstream cannot be reached.
	staleLife = 24 * time.Hour
)

// metadata is what an upstream says about itself (OIDC Discovery, section 3).
type metadata struct {
	issuer                               string
	authorization, token, userinfo, jwks string
	// Nil: it does not say.
	algorithms, clientAuth, claims []string
	issuerInCallback               bool
	keys                           *keySet // nil: ID tokens need none

	document object // the document, for what only some sign-ins or a report go by
}

// metadataNeeds says which optional parts of the document the sign-ins of a connector go by. The
// others may be missing or malformed.
type metadataNeeds struct {
	userinfo   bool
	clientAuth bool // the settings leave the method open
	// algorithms are those of ID tokens that we accept of the advertised ones.
	algorithms func(advertised []string) []string
}

// discovery fetches the metadata of one upstream when it is first needed, once for all
// callers that wait, and again each hour.
type discovery struct {
	caller  caller
	now     func() time.Time
	timeout time.Duration // of a fetch
	baseURL string        // the issuer that the document's address is made of
	issuer  string        // the issuer that the document must name
	hosts   []string      // of endpoints outside the issuer's domain
	needs   metadataNeeds

	mu        sync.Mutex
	cached    *metadata
	fetchedAt time.Time
	failure   error
	failedAt  time.Time
	flight    chan struct{} // closed when the fetch under way has ended
}

// get gives the metadata. A caller who gives up leaves the fetch to the others.
func (d *discovery) get(ctx context.Context) (*metadata, error) {
	d.mu.Lock()
	known, err, decided := d.fromMemory()
	if decided {
		d.mu.Unlock()
		return known, err
	}
	if d.flight == nil {
		d.flight = make(chan struct{})
		go d.refresh(context.WithoutCancel(ctx), d.flight)
	}
	flight := d.flight
	d.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		return nil, fmt.Errorf("discover: no answer in time: %w", ErrUnreachable)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if known, err, decided = d.fromMemory(); decided {
		return known, err
	}
	return nil, d.failure
}

// fromMemory answers from memory, if memory suffices.
func (d *discovery) fromMemory() (*metadata, error, bool) {
	at := d.now()
	if d.cached != nil && within(d.fetchedAt, at, metadataLife) {
		return d.cached, nil, true
	}
	if d.failure == nil || !within(d.failedAt, at, retryAfter) {
		return nil, nil, false
	}
	// What it says now cannot be trusted: then neither can what it said before.
	if d.cached != nil && within(d.fetchedAt, at, staleLife) && errors.Is(d.failure, ErrUnreachable) {
		return d.cached, nil, true
	}
	return nil, d.failure, true
}

func (d *discovery) refresh(ctx context.Context, flight chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	fetched, err := d.fetch(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failure = err; err != nil {
		d.failedAt = d.now()
	} else {
		d.cached, d.fetchedAt = fetched, d.now()
	}
	d.flight = nil
	close(flight)
}

// fetch reads the discovery document, whatever is remembered. Its issuer member must be
// the issuer, byte for byte, or what the kind of upstream writes instead.
func (d *discovery) fetch(ctx context.Context) (*metadata, error) {
	step := "discover"
	from := strings.TrimSuffix(d.baseURL, "/") + "/.well-known/openid-configuration"
	a, err := d.caller.get(ctx, step, from, nil)
	if err != nil {
		return nil, err
	}
	if a.status != 200 {
		return nil, fmt.Errorf("%s: status %d at %s: %w", step, a.status, foreign.ForError(from), ErrMisconfigured)
	}
	o, err := a.object(step)
	if err != nil {
		return nil, err
	}
	m, err := d.read(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", step, err)
	}
	if m.jwks != "" {
		m.keys = &keySet{caller: d.caller, now: d.now, uri: m.jwks}
	}
	return m, nil
}

// read takes from the document what a sign-in goes by. ErrUntrusted; ErrMisconfigured if
// the settings allow no algorithm that the upstream signs by.
func (d *discovery) read(o object) (*metadata, error) {
	m := &metadata{document: o}
	var err error
	if m.issuer, err = o.text("issuer"); err != nil {
		return nil, err
	}
	if m.issuer != d.issuer {
		return nil, untrusted("the document's issuer is %q, the settings say %q", foreign.ForError(m.issuer), d.issuer)
	}
	if m.algorithms, err = o.capabilities("id_token_signing_alg_values_supported"); err != nil {
		return nil, err
	}
	if m.issuerInCallback, err = o.isTrue("authorization_response_iss_parameter_supported"); err != nil {
		return nil, err
	}
	if d.needs.clientAuth {
		if m.clientAuth, err = o.capabilities("token_endpoint_auth_methods_supported"); err != nil {
			return nil, err
		}
	}
	m.claims = o.optionalList("claims_supported")
	ours := d.needs.algorithms(m.algorithms)
	if len(ours) == 0 {
		return nil, fmt.Errorf("id_token_signing_alg_values_supported names none of the algorithms that the settings allow: %w", ErrMisconfigured)
	}
	return m, d.readEndpoints(o, m, needsKeys(ours))
}

// readEndpoints reads the addresses that a sign-in calls or sends the browser to.
func (d *discovery) readEndpoints(o object, m *metadata, keys bool) error {
	endpoints := []struct {
		name           string
		into           *string
		used, optional bool
	}{
		{"authorization_endpoint", &m.authorization, true, false},
		{"token_endpoint", &m.token, true, false},
		{"userinfo_endpoint", &m.userinfo, d.needs.userinfo, true},
		{"jwks_uri", &m.jwks, keys, false},
	}
	for _, e := range endpoints {
		if !e.used {
			continue
		}
		address, err := o.text(e.name)
		switch {
		case err != nil:
			return err
		case address == "" && e.optional:
			continue
		case address == "":
			return untrusted("%s is missing", e.name)
		}
		if err := d.checkEndpointHost(address); err != nil {
			return untrusted("%s: %v", e.name, err)
		}
		*e.into = address
	}
	return nil
}

// checkEndpointHost keeps a discovery document from sending codes, secrets and browsers
// to somebody else: an endpoint lies on the issuer's host or in its registered
// domain, or on a host that the kind or the settings name.
func (d *discovery) checkEndpointHost(endpoint string) error {
	u, err := upstreamURL(endpoint)
	if err != nil {
		return err
	}
	issuer, err := url.Parse(d.baseURL)
	if err != nil {
		return err
	}
	if u.Scheme == "http" && issuer.Scheme != "http" {
		return fmt.Errorf("%q is not https", foreign.ForError(endpoint))
	}
	if u.Host == issuer.Host || slices.Contains(d.hosts, u.Hostname()) {
		return nil
	}
	ours, theirs := registeredDomain(issuer.Hostname()), registeredDomain(u.Hostname())
	if ours == "" || ours != theirs || u.Scheme != "https" {
		return fmt.Errorf("host %s is not in the issuer's domain", foreign.ForError(u.Host))
	}
	return nil
}

// registeredDomain is the part of a host name that somebody owns; "" for
// addresses and names without one.
func registeredDomain(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(host))
	if err != nil {
		return ""
	}
	return domain
}
