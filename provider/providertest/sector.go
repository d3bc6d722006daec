package providertest

import (
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	"signet/provider"
	"signet/provider/outbound"
)

// SectorServer publishes documents of sector_identifier_uri over TLS and counts the fetches.
type SectorServer struct {
	*httptest.Server
	Fetches atomic.Int64

	answer atomic.Pointer[http.HandlerFunc]
}

// ServeSector starts a server whose document lists these redirect URIs.
func ServeSector(t testing.TB, redirectURIs ...string) *SectorServer {
	t.Helper()
	s := StartSector(redirectURIs...)
	t.Cleanup(s.Close)
	return s
}

// StartSector is ServeSector for a server that several tests use. It is never closed.
func StartSector(redirectURIs ...string) *SectorServer {
	s := &SectorServer{}
	s.List(redirectURIs...)
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Fetches.Add(1)
		(*s.answer.Load())(w, r)
	}))
	return s
}

// List replaces the document by a list of these redirect URIs.
func (s *SectorServer) List(redirectURIs ...string) {
	document, err := json.Marshal(append([]string{}, redirectURIs...))
	if err != nil {
		panic(err)
	}
	s.Answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(document) })
}

// Answer replaces the answer of the server.
func (s *SectorServer) Answer(answer http.HandlerFunc) { s.answer.Store(&answer) }

// URI is the address of the document.
func (s *SectorServer) URI() string { return s.URL + "/sector.json" }

// Outbound returns settings with which the server is trusted and, although it is on this machine,
// may be called for clients that register themselves.
func (s *SectorServer) Outbound() outbound.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return outbound.Config{Roots: roots, Allowed: Loopback()}
}

// Trusted is an option with the settings of Outbound.
func (s *SectorServer) Trusted(c *provider.Config) { c.Outbound = s.Outbound() }

// Loopback are the networks of this machine.
func Loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }
