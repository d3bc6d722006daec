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

// The clients of a demo, and the path of its page. A database that `signet serve` created
// has none of them.
const (
	ClientID  = "demo"
	AppClient = "app"
	Path      = "/demo"
)

// Email addresses of the demo's people.
const (
	UserEmail  = "demo@example.com"
	AdminEmail = "admin@example.com"
)

// people holds the demo's user and administrator.
type people struct{ user, admin person }

// person describes how to sign in as one of them.
type person struct {
	email    string
	password string // "" if the password in the file is not valid any more
	note     string // the change since the first start, and the command that undoes it; "" for none
}

// server is a node with the additional parts of the demo.
type server struct {
	settings  config.Config
	node      *node.Node
	mails     *mailbox
	directory *directory.Directory
	app       string
	now       func() time.Time
	log       *slog.Logger
	talk      io.Writer
}

// byCommandLine is the origin in the events of the demo's own changes.
var byCommandLine = storage.Origin{Actor: storage.ActorCLI}

// follow reloads the caches, so that a client that was just created works at once and not
// only after the next tick.
func (s *server) follow(ctx context.Context) error {
	return s.node.Provider().FollowOnce(ctx, s.node.Now())
}
