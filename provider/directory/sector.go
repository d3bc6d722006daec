package directory

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"signet/federation/foreign"
	"signet/storage"
)

// ownSector begins the sector of a client that shares its subjects with no other client. No host
// has a colon in its name.
const ownSector = "client:"

// SectorOf returns the sector of a client (OIDC Core, section 8.1), "" for public subjects. It is
// the host of sector_identifier_uri, or else the host of the redirect URIs.
//
// Every program can use the redirect URIs that lead to the person's own device, and every person
// can enter the code of a device. Therefore they prove nothing about a host: a client with the
// device grant, one whose redirect URIs all lead to the person's own device, and one without a
// redirect URI are a sector of their own.
func SectorOf(c storage.Client) (string, error) {
	if c.Metadata.SubjectType != storage.SubjectPairwise {
		return "", nil
	}
	device := slices.Contains(c.Metadata.GrantTypes, storage.GrantDevice)
	if c.Metadata.SectorURI != "" {
		return hostOfList(c, device)
	}
	if device {
		return ownSector + c.ID, nil
	}
	var hosts []string
	for _, uri := range c.Metadata.RedirectURIs {
		host := ownSector + c.ID
		if !leadsToDevice(uri) {
			host = hostOf(uri)
		}
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	switch len(hosts) {
	case 0:
		return ownSector + c.ID, nil
	case 1:
		return hosts[0], nil
	}
	return "", errors.New("is missing: pairwise subjects belong to one host, and the redirect URIs have several (OIDC Core, section 8.1): " +
		"publish a JSON list of all redirect URIs on https and give its URL, or use one host")
}

// hostOfList returns the sector of a client with a sector_identifier_uri. A list that names a
// redirect URI on the person's own device allows it to the clients of its owner. Only an
// administrator can know which these are.
func hostOfList(c storage.Client, device bool) (string, error) {
	switch {
	case device:
		return "", errors.New("is not for a client with the grant type " + storage.GrantDevice + ", whose tokens go to no redirect URI: " +
			"remove it, and the client shares its subjects with no other client")
	case len(c.Metadata.RedirectURIs) == 0:
		return "", errors.New("is for clients with redirect URIs: remove it, and the client shares its subjects with no other client")
	}
	for _, uri := range c.Metadata.RedirectURIs {
		if c.IsSelfRegistered() && leadsToDevice(uri) {
			return "", fmt.Errorf("is not for the redirect URI %q, which other programs can use too: remove one of them, or have the client created by the administrator", shortened(uri))
		}
	}
	u, err := url.Parse(c.Metadata.SectorURI)
	if err != nil {
		return "", errors.New("is not a URL")
	}
	return u.Hostname(), nil
}

// leadsToDevice reports whether a redirect URI leads to a program on the person's own device: it
// has a loopback host or a scheme of an app.
func leadsToDevice(uri string) bool {
	u, err := url.Parse(uri)
	return err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || storage.IsLoopbackHost(u.Hostname())
}

func checkSubjectType(c storage.Client, wrong report) {
	switch t := c.Metadata.SubjectType; {
	case t != "" && t != "public" && t != storage.SubjectPairwise:
		wrong("%q is not supported: use public or %s", shortened(t), storage.SubjectPairwise)
	case t == storage.SubjectPairwise && c.FirstParty:
		wrong("%q is not for the first-party app, which shares the address of this server: use public", t)
	}
}

func checkSector(c storage.Client, wrong report) {
	if _, err := SectorOf(c); err != nil {
		wrong("%w", err)
	}
}

// checkSubjectTypeEffect refuses pairwise subjects of a client that never gets a subject.
func checkSubjectTypeEffect(c storage.Client, wrong report) {
	if c.Metadata.SubjectType == storage.SubjectPairwise && !signsPeopleIn(c) && !slices.Contains(c.Metadata.GrantTypes, storage.GrantDevice) {
		wrong("%w", &noEffect{"is for clients that people sign in to, and nobody can sign in to this client: remove it, or add the grant type " + storage.GrantCode})
	}
}

// ChangesSubjects reports whether the client sees its users under other subjects after a change.
// For the application, every user is a stranger then, and the tokens from before are invalid.
func ChangesSubjects(before, after storage.Client) bool { return before.Sector != after.Sector }

// sectorDocument is the document that a sector_identifier_uri names (OIDC Registration, section
// 5). The zero value is no document.
type sectorDocument struct {
	uri    string
	listed []string // redirect URIs
}

// fetchSector fetches the document of the changed client, if the change needs it.
//
// *ClientError: it cannot be fetched, or it is no list of redirect URIs.
func (d *Directory) fetchSector(ctx context.Context, before, after storage.Client) (sectorDocument, error) {
	if !needsSectorDocument(before, after) {
		return sectorDocument{}, nil
	}
	uri := after.Metadata.SectorURI
	refused := func(shown string, cause error) error {
		return &ClientError{[]*ClientFieldError{newFieldError(sectorField, &documentError{fmt.Sprintf("%q %s", shortened(uri), shown), cause})}}
	}
	body, err := d.outbound.Document(ctx, uri, after.IsSelfRegistered())
	if err != nil {
		return sectorDocument{}, refused("cannot be fetched: it must be a JSON list of the redirect URIs", err)
	}
	listed, err := readSectorDocument(body)
	if err != nil {
		return sectorDocument{}, refused("is not a JSON list of redirect URIs", err)
	}
	return sectorDocument{uri, listed}, nil
}

const sectorField = "sector_identifier_uri"

// documentError is the problem of a document of another host. A client that registers itself
// learns only shown: the cause would tell it what this server can reach.
type documentError struct {
	shown string
	cause error
}

// Error returns the problem and its cause, for operators.
func (e *documentError) Error() string { return e.shown + ": " + e.cause.Error() }

// Unwrap returns the cause.
func (e *documentError) Unwrap() error { return e.cause }

// needsSectorDocument reports whether the document must be read: its URL is new, or a redirect
// URI is. A later change of the document alone does not concern a registered client.
func needsSectorDocument(before, after storage.Client) bool {
	added := func(uri string) bool { return !slices.Contains(before.Metadata.RedirectURIs, uri) }
	return after.Metadata.SectorURI != "" &&
		(after.Metadata.SectorURI != before.Metadata.SectorURI || slices.ContainsFunc(after.Metadata.RedirectURIs, added))
}

// setSector sets the sector of the changed client. If the change needs the document, it must list
// every redirect URI: another client must not get the subjects of this sector.
//
// *ClientError. storage.ErrConflict: the client was changed since the document was fetched.
func (s sectorDocument) setSector(before storage.Client, after *storage.Client) error {
	if needsSectorDocument(before, *after) {
		if s.uri != after.Metadata.SectorURI {
			return fmt.Errorf("check sector: %w", storage.ErrConflict)
		}
		var found []*ClientFieldError
		for _, uri := range after.Metadata.RedirectURIs {
			if !slices.Contains(s.listed, uri) {
				found = append(found, newFieldError(sectorField, fmt.Errorf("%q does not list the redirect URI %q: add it there", shortened(s.uri), shortened(uri))))
			}
		}
		if len(found) > 0 {
			return &ClientError{found}
		}
	}
	var err error
	if after.Sector, err = SectorOf(*after); err != nil { // a stored client that breaks a newer rule
		after.Sector = before.Sector
	}
	return nil
}

// readSectorDocument reads a JSON list of redirect URIs.
func readSectorDocument(body []byte) ([]string, error) {
	value, err := foreign.ReadValue(body)
	if err != nil {
		return nil, err
	}
	list, ok := value.([]any)
	if !ok {
		return nil, errors.New("it is not a list")
	}
	listed := make([]string, 0, len(list))
	for i, entry := range list {
		uri, ok := entry.(string)
		if !ok || strings.TrimSpace(uri) == "" {
			return nil, fmt.Errorf("entry %d is not a URI", i+1)
		}
		listed = append(listed, uri)
	}
	return listed, nil
}
