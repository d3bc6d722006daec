package front

import (
	"log/slog"
	"net/netip"
	"time"

	"signet/provider/keys"
	"signet/provider/upkeep"
	"signet/provider/web"
	"signet/static"
	"signet/storage"
)

// Deps are the dependencies of a Front. All except Proxies are required.
type Deps struct {
	DB      *storage.DB
	Ring    *keys.Ring
	Site    *web.Site
	Files   *static.Files
	Jobs    *upkeep.Jobs
	Gates   *Gates
	Proxies []netip.Prefix // proxies that may state the address of a client
	Now     func() time.Time
	Log     *slog.Logger
}

// Front serves a list of routes to the network.
type Front struct{ Deps }

// New makes the front of a provider.
func New(d Deps) *Front { return &Front{d} }
