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
	// metadataLife is how long a discovery document and its keys are used before they are
	// fetched again. A key that the upstream withdraws is trusted no longer than this.
	metadataLife = time.Hour
	// staleLife is how long they are used while the upstream cannot be reached.
	staleLife = 24 * time.Hour
)

// metadata holds the members of a discovery document (OIDC Discovery, section 3).
type metadata struct {
	issuer                               string
	authorization, token, userinfo, jwks string
	// Nil: not advertised.
	algorithms, clientAuth, claims []string
	issuerInCallback               bool
	keys                           *keySet // nil: ID tokens are verified without keys

	document object // the whole document, for members that only some sign-ins or Probe read
}

// metadataNeeds says which optional members of the document the sign-ins of a connector
// read. The other members may be missing or malformed.
type metadataNeeds struct {
	userinfo   bool
	clientAuth bool // the settings do not decide the method
	// algorithms returns the advertised algorithms of ID tokens that we accept.
	algorithms func(advertised []string) []string
}

// discovery fetches the metadata of one upstream when it is first needed, and again after
// an hour. Callers that wait at the same time share one fetch.
type discovery struct {
	caller  caller
	now     func() time.Time
	timeout time.Duration // of a fetch
	baseURL string        // the document is fetched from below this URL
	issuer  string        // the issuer that the document must contain
	hosts   []string      // allowed hosts of endpoints outside the issuer's domain
	needs   metadataNeeds

	mu        sync.Mutex
	cached    *metadata
	fetchedAt time.Time
	failure   error
	failedAt  time.Time
	flight    chan struct{} // closed when the current fetch ends; nil: no fetch is running
}

// get returns the metadata. If ctx ends, the fetch goes on for other callers.
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
		return nil, unreachable("discover: no answer in time")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if known, err, decided = d.fromMemory(); decided {
		return known, err
	}
	return nil, d.failure
}

// fromMemory returns the cached metadata or the remembered failure. decided is false if a
// new fetch is needed. The caller holds the lock.
func (d *discovery) fromMemory() (m *metadata, err error, decided bool) {
	at := d.now()
	if d.cached != nil && within(d.fetchedAt, at, metadataLife) {
		return d.cached, nil, true
	}
	if d.failure == nil || !within(d.failedAt, at, retryAfter) {
		return nil, nil, false
	}
	// If the new document cannot be trusted, the old one is not used either.
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

// discoveryURL returns the address of an issuer's discovery document (OIDC Discovery, section 4.1).
func discoveryURL(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

// fetch fetches the discovery document and does not use the cache. The document's issuer
// must equal d.issuer byte for byte. Errors are those of do and read; ErrMisconfigured for
// any status but 200.
func (d *discovery) fetch(ctx context.Context) (*metadata, error) {
	step := "discover"
	from := discoveryURL(d.baseURL)
	a, err := d.caller.get(ctx, step, from, nil)
	if err != nil {
		return nil, err
	}
	if a.status != 200 {
		return nil, fmt.Errorf("%s: status %d at %s, want 200: check issuer: %w", step, a.status, foreign.ForError(from), ErrMisconfigured)
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

// read reads the members that sign-ins need. ErrUntrusted; ErrMisconfigured if the settings
// allow none of the advertised algorithms.
func (d *discovery) read(o object) (*metadata, error) {
	m := &metadata{document: o}
	var err error
	if m.issuer, err = o.text("issuer"); err != nil {
		return nil, err
	}
	if m.issuer != d.issuer {
		return nil, untrusted("issuer in the document is %q, but the settings need exactly %q", foreign.ForError(m.issuer), d.issuer)
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
	allowed := d.needs.algorithms(m.algorithms)
	if len(allowed) == 0 {
		return nil, fmt.Errorf("id_token_signing_alg_values_supported lists %s, none of which the settings allow: check algorithms: %w",
			foreign.ForError(strings.Join(m.algorithms, ", ")), ErrMisconfigured)
	}
	return m, d.readEndpoints(o, m, needsKeys(allowed))
}

// readEndpoints reads the URLs that a sign-in calls or sends the browser to. ErrUntrusted.
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

// checkEndpointHost returns an error unless the endpoint is on the issuer's host, in the
// issuer's registered domain, or on a host that the kind or the settings list. Otherwise a
// discovery document could send codes, secrets and browsers to another party.
func (d *discovery) checkEndpointHost(endpoint string) error {
	u, ofIssuer, err := endpointURL(d.baseURL, endpoint)
	if err == nil && !ofIssuer && !slices.Contains(d.hosts, u.Hostname()) {
		err = fmt.Errorf("host %s is not in the issuer's domain: if it belongs to the upstream, add it to hosts", foreign.ForError(u.Host))
	}
	return err
}

// endpointURL parses the URL of an endpoint from a discovery document. ofIssuer reports whether it
// is on the issuer's host or in the issuer's registered domain.
func endpointURL(issuer, endpoint string) (u *url.URL, ofIssuer bool, err error) {
	u, err = upstreamURL(endpoint)
	if err != nil {
		return nil, false, err
	}
	base, err := url.Parse(issuer)
	if err != nil {
		return nil, false, err
	}
	if u.Scheme == "http" && base.Scheme != "http" {
		return nil, false, fmt.Errorf("%q is not https", foreign.ForError(endpoint))
	}
	ours, theirs := registeredDomain(base.Hostname()), registeredDomain(u.Hostname())
	return u, u.Host == base.Host || ours != "" && ours == theirs && u.Scheme == "https", nil
}

// registeredDomain returns the part of a host name that can be registered, such as
// example.co.uk; "" for IP addresses and for names without one.
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
