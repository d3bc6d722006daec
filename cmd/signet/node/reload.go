package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"
	"time"

	"signet/provider"
)

// follower hands the settings of a running server on when their files change, and
// when SIGHUP comes. Its goroutine alone touches it.
type follower struct {
	from        sources
	node        *node
	now         func() time.Time
	level       *slog.LevelVar
	certificate *certificate // nil for plain http
	hangups     chan os.Signal
	started     *reader // what the server was started with
	inForce     *reader // the same with what was taken over since
	watch       watch
}

// follow begins to listen for SIGHUP; the caller ends that with stop.
func (f *follower) follow() (stop func()) {
	f.inForce = f.started
	f.watch = watch{f.started.files, f.started.files}
	f.hangups = make(chan os.Signal, 1)
	signal.Notify(f.hangups, syscall.SIGHUP)
	return func() { signal.Stop(f.hangups) }
}

// followOnce is called once a second.
func (f *follower) followOnce(context.Context, int) error {
	changed := f.watch.changed()
	select {
	case <-f.hangups:
		changed = true
	default:
	}
	if changed {
		f.reload()
	}
	if f.certificate != nil {
		f.certificate.followOnce(f.now(), f.node.log)
	}
	return nil
}

// reload reads all sources again. Either everything that a running server can take
// over is taken over, or, if there is any mistake, nothing.
func (f *follower) reload() {
	log := f.node.log
	read := readSources(f.from)
	f.watch = watch{read.files, read.files}
	if err := f.takeOver(read); err != nil {
		read.wrong = append(read.wrong, mistake{text: err.Error()})
	}
	if len(read.wrong) > 0 {
		for _, m := range read.wrong {
			log.Error("a setting is wrong", "where", m.place.String(), "key", m.key, "error", m.text)
		}
		log.Error("the settings were read again and not taken over: those from before stay in force", "mistakes", len(read.wrong))
		return
	}
	log.Info("the settings were read again", "changed", strings.Join(differ(f.inForce, read, true), ", "))
	f.inForce = read
	if waiting := f.waiting(read); len(waiting) > 0 {
		log.Warn("some settings have changed that only a restart takes over", "restart_for", strings.Join(waiting, ", "))
	}
	f.level.Set(read.config.LogLevel) // last: that it is quieter from here on is worth a line
}

// takeOver does nothing when there is a mistake.
func (f *follower) takeOver(read *reader) error {
	if len(read.wrong) > 0 {
		return nil
	}
	var pair *tls.Certificate
	seen, files := contents{}, read.config.TLS
	renamed := f.certificate != nil && files.given() && files != f.certificate.files
	if renamed {
		var err error
		if pair, err = files.load(f.now(), seen); err != nil {
			return err
		}
	}
	next, err := f.node.provider().With(read.config.live())
	if err != nil {
		return err
	}
	if renamed {
		f.certificate.show(files, pair, seen)
	}
	f.node.current.Store(next)
	return nil
}

// live is what a running provider takes over.
func (c Config) live() provider.Live {
	return provider.Live{Connectors: c.Connectors, TrustedProxies: c.TrustedProxies, Origins: c.FirstParty.Origins}
}

// waiting names the settings that differ from those the server was started with and
// that it cannot take over.
func (f *follower) waiting(read *reader) []string {
	names := differ(f.started, read, false)
	if f.started.config.TLS.given() != read.config.TLS.given() {
		names = append(names, "tls.cert", "tls.key")
	}
	return names
}

// differ names the settings of two readings that differ, of those that a running
// server takes over or of those that it does not.
func differ(before, after *reader, live bool) []string {
	var names []string
	for _, s := range settings {
		if s.live == live && before.given[s.key].text != after.given[s.key].text {
			names = append(names, s.key)
		}
	}
	if live && !reflect.DeepEqual(before.config.Connectors, after.config.Connectors) {
		names = append(names, "connectors")
	}
	return names
}
