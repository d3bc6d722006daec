package node

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"signet/cmd/signet/config"
	"signet/provider"
)

// Follow holds the sources of a node's settings, and the settings at its start.
type Follow struct {
	From    config.Sources
	Started *config.Reading
	Level   *slog.LevelVar // of the node's log
}

// follower reloads the settings of a running server when their files change and on SIGHUP.
// Only its own goroutine uses it.
type follower struct {
	Follow
	current     *atomic.Pointer[provider.Provider] // the node's provider
	certificate *Certificate                       // nil for plain http
	log         *slog.Logger
	attendance  *attendance
	now         func() time.Time
	hangups     chan os.Signal
	inForce     *config.Reading // Started, with the changes since then
	watch       watch
}

// listen takes the signal SIGHUP until stop is called. followOnce acts on it.
func (f *follower) listen() {
	f.inForce = f.Started
	f.watch = watch{f.Started.Files, f.Started.Files}
	f.hangups = make(chan os.Signal, 1)
	signal.Notify(f.hangups, syscall.SIGHUP)
}

// stop ends listen. f may be nil.
func (f *follower) stop() {
	if f != nil {
		signal.Stop(f.hangups)
	}
}

// followOnce reloads the settings if they changed. It is called once a second.
func (f *follower) followOnce(context.Context, int) error {
	changed := f.watch.changed()
	select {
	case <-f.hangups:
		changed = true
	default:
	}
	if changed {
		f.attendance.reload(f.reload)
	}
	if f.certificate != nil {
		f.certificate.followOnce(f.now(), f.log)
	}
	return nil
}

// reload reads all sources again. It applies all changes that need no restart, or none of them
// if there is any mistake. Then it returns false.
func (f *follower) reload() (valid bool) {
	log := f.log
	read := config.Read(f.From)
	f.watch = watch{read.Files, read.Files}
	if err := f.takeOver(read); err != nil {
		read.Mistakes = append(read.Mistakes, config.Mistake{Text: err.Error()})
	}
	if len(read.Mistakes) > 0 {
		for _, m := range read.Mistakes {
			log.Error("a setting is not valid", "where", m.Place.String(), "key", m.Key, "error", m.Text)
		}
		log.Error("the changed settings are not valid: the server keeps the previous ones", "mistakes", len(read.Mistakes))
		return false
	}
	log.Info("the settings were reloaded", "changed", strings.Join(config.LiveChanges(f.inForce, read), ", "))
	f.inForce = read
	if waiting := config.RestartChanges(f.Started, read); len(waiting) > 0 {
		log.Warn("some of the changed settings need a restart", "restart_for", strings.Join(waiting, ", "))
	}
	f.Level.Set(read.Config.LogLevel) // last, so that the lines above are logged with the old level
	return true
}

// takeOver applies the settings. If there is a mistake, it changes nothing.
func (f *follower) takeOver(read *config.Reading) error {
	if len(read.Mistakes) > 0 {
		return nil
	}
	var pair *tls.Certificate
	seen, files := config.Files{}, read.Config.TLS
	renamed := f.certificate != nil && files.IsSet() && files != f.certificate.files
	if renamed {
		var err error
		if pair, err = loadPair(files, f.now(), seen); err != nil {
			return err
		}
	}
	next, err := f.current.Load().With(read.Config.Live())
	if err != nil {
		return err
	}
	if renamed {
		f.certificate.show(files, pair, seen)
	}
	f.current.Store(next)
	return nil
}
