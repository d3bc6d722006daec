package logo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"signet/provider/request"
	"signet/storage"
)

const (
	// life is how long a fetched logo is used, here and in browsers.
	life = 24 * time.Hour
	// pause is how long a failed fetch is not tried again.
	pause = 5 * time.Minute
	// timeout ends a fetch, and the wait of a browser for it.
	timeout = 5 * time.Second
	// maxMemory is the size of all remembered logos in bytes.
	maxMemory = 16 << 20
	// maxEntries is the number of remembered logos and failures.
	maxEntries = 1000
	// maxFetches is the number of fetches at the same time.
	maxFetches = 8
)

// Config holds the dependencies of Logos. All are required.
type Config struct {
	Clients *request.Clients
	HTTP    *http.Client // fetches from addresses that an administrator entered
	Foreign *http.Client // fetches from addresses of clients that registered themselves
	Now     func() time.Time
	Log     *slog.Logger
}

// Logos fetches, remembers and serves the logos of clients. It is safe for concurrent use.
type Logos struct {
	Config
	fetching chan struct{} // holds a value for each fetch that runs

	mu      sync.Mutex
	entries map[address]*entry
}

// address is a logo_uri, and whether a stranger registered it. An address of an administrator may
// lead into a private network, and its picture must not be shown for a stranger.
type address struct {
	uri      string
	stranger bool
}

// entry is a picture, or the reason why there is none.
type entry struct {
	done    chan struct{} // closed after the fetch; then the other fields are set
	picture picture
	err     error
	until   time.Time // zero while the fetch runs
}

type picture struct {
	kind  string // media type
	bytes []byte
	etag  string
}

// New returns Logos that have fetched nothing yet.
func New(c Config) *Logos {
	return &Logos{Config: c, fetching: make(chan struct{}, maxFetches), entries: map[address]*entry{}}
}

// PathOf returns the path of the client's logo below the issuer; "" if pages show none. The logo of
// an unapproved client is not shown, because it could be the one of somebody else.
func PathOf(client storage.Client) string {
	if client.Metadata.LogoURI == "" || client.IsUnapproved() {
		return ""
	}
	return "/client-logo/" + url.PathEscape(client.ID) + "/" + versionOf(client.Metadata.LogoURI)
}

// versionOf returns the part of the path that changes with the address of the logo, so that a
// browser never shows the logo of the old address.
func versionOf(uri string) string {
	sum := sha256.Sum256([]byte(uri))
	return hex.EncodeToString(sum[:6])
}

// picture returns the logo of the client. It waits for a fetch that runs, or starts one.
func (l *Logos) picture(ctx context.Context, client storage.Client) (picture, error) {
	e := l.entryOf(client)
	select {
	case <-e.done:
		return e.picture, e.err
	case <-ctx.Done():
		return picture{}, ctx.Err()
	}
}

func (l *Logos) entryOf(client storage.Client) *entry {
	at, now := address{client.Metadata.LogoURI, client.IsSelfRegistered()}, l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.entries[at]
	if found != nil && (found.until.IsZero() || now.Before(found.until)) {
		return found
	}
	started := &entry{done: make(chan struct{})}
	var last picture
	if found != nil {
		last = found.picture
	}
	l.entries[at] = started
	// The fetch goes on when the browser that needed it first has left: others wait for it.
	go l.load(at, client.ID, started, last)
	return started
}

// load fetches the logo for an entry. If that fails, the last picture stays for a while.
func (l *Logos) load(at address, clientID string, e *entry, last picture) {
	fetched, err := l.fetch(at)
	until := l.Now().Add(life)
	if err != nil {
		l.Log.Warn("cannot show the logo of a client", "client_id", clientID, "error", err)
		until = l.Now().Add(pause)
		if fetched = last; last.bytes != nil {
			err = nil
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.picture, e.err, e.until = fetched, err, until
	close(e.done)
	l.trim()
}

// trim forgets the entries that end first until the rest is within the limits. The caller holds mu.
func (l *Logos) trim() {
	for {
		size := 0
		var first address
		for at, e := range l.entries {
			size += len(e.picture.bytes)
			if other := l.entries[first]; !e.until.IsZero() && (other == nil || e.until.Before(other.until)) {
				first = at
			}
		}
		if size <= maxMemory && len(l.entries) <= maxEntries || l.entries[first] == nil {
			return
		}
		delete(l.entries, first)
	}
}

func (l *Logos) fetch(at address) (picture, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	select {
	case l.fetching <- struct{}{}:
		defer func() { <-l.fetching }()
	case <-ctx.Done():
		return picture{}, fmt.Errorf("fetch logo: %d others were fetched at the same time", maxFetches)
	}
	client := l.HTTP
	if at.stranger {
		client = l.Foreign
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.uri, nil)
	if err != nil {
		return picture{}, errors.New("fetch logo: its address is not a URL")
	}
	r.Header.Set("Accept", "image/png, image/webp, image/jpeg, image/gif")
	answer, err := client.Do(r)
	if failure, ok := errors.AsType[*url.Error](err); ok {
		err = failure.Err // without the address, whose query may be long
	}
	if err != nil {
		return picture{}, fmt.Errorf("fetch logo from %s: %w", r.URL.Host, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return picture{}, fmt.Errorf("fetch logo from %s: the host answered with status %d", r.URL.Host, answer.StatusCode)
	}
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxBytes+1))
	switch {
	case err != nil:
		return picture{}, fmt.Errorf("fetch logo from %s: %w", r.URL.Host, err)
	case len(content) > maxBytes:
		return picture{}, fmt.Errorf("fetch logo from %s: it has more than %d KB", r.URL.Host, maxBytes>>10)
	}
	kind, err := KindOf(content)
	if err != nil {
		return picture{}, fmt.Errorf("fetch logo from %s: %w", r.URL.Host, err)
	}
	sum := sha256.Sum256(content)
	return picture{kind, content, `"` + hex.EncodeToString(sum[:12]) + `"`}, nil
}
