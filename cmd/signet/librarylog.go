package main

import (
	"context"
	"log/slog"
)

// libraryLog is where code that is not ours writes: the OpenID library logs to
// slog's default and nowhere else. It tells every refusal a second time, under no
// request id, and calls errors what is an answer to a client; so its lines are for
// who debugs, whatever level they claim.
type libraryLog struct{ slog.Handler }

// logLibraries sends the lines of libraries to the handler of our log, at debug.
func logLibraries(log *slog.Logger) {
	slog.SetDefault(slog.New(libraryLog{log.Handler()}.WithAttrs([]slog.Attr{slog.String("from", "library")})))
}

func (l libraryLog) Enabled(ctx context.Context, _ slog.Level) bool {
	return l.Handler.Enabled(ctx, slog.LevelDebug)
}

func (l libraryLog) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return l.Handler.Handle(ctx, r)
}

func (l libraryLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return libraryLog{l.Handler.WithAttrs(attrs)}
}

func (l libraryLog) WithGroup(name string) slog.Handler { return libraryLog{l.Handler.WithGroup(name)} }
