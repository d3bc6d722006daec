package demo

import (
	"context"
	"io"
	"log/slog"
	"time"

	"signet/cmd/signet/config"
	"signet/cmd/signet/node"
	"signet/provider/directory"
	"signet/storage"
)

// The clients of a demo, and the path of its page. None of it exists in a database that
// serve has made.
const (
	ClientID  = "demo"
	AppClient = "app"
	Path      = "/demo"
)

// Addresses of the people that a demo has.
const (
	UserEmail  = "demo@example.com"
	AdminEmail = "admin@example.com"
)

// people are those that a demo has.
type people struct{ user, admin person }

// person is how to sign in as somebody.
type person struct {
	email    string
	password string // "" if it is not known any more
	note     string // the difference from the first start, and the command to change it; "" for none
}

// server is a node with what the demo has beside it.
type server struct {
	settings  config.Config
	node      *node.Node
	directory *directory.Directory
	app       string
	now       func() time.Time
	log       *slog.Logger
	talk      io.Writer
}

// byCommandLine is where the events of what a demo makes say they came from.
var byCommandLine = storage.Origin{Actor: "cli"}

// follow lets a client that was just made work from the first request on, not only from
// the next tick.
func (s *server) follow(ctx context.Context) error {
	return s.node.Provider().FollowOnce(ctx, s.node.Now())
}
