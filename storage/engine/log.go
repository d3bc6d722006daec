package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// gorm's Scan records each statement with its parameters filled in, for a log
// that it passes by: for this process it records the bare text.
func init() {
	logger.RecorderParamsFilter = func(_ context.Context, sql string, _ ...any) (string, []any) { return sql, nil }
}

// gormConfig is the same for every connection: a use case is one transaction, so
// gorm opens none by itself.
func gormConfig(log *slog.Logger) *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		Logger:                 statementLog{log},
	}
}

// statementLog logs the statements that fail for no reason of ours, and never
// their parameters.
type statementLog struct{ log *slog.Logger }

// LogMode changes nothing: there is one level.
func (l statementLog) LogMode(logger.LogLevel) logger.Interface { return l }

// Info says nothing.
func (l statementLog) Info(context.Context, string, ...any) {}

// Warn says nothing.
func (l statementLog) Warn(context.Context, string, ...any) {}

// Error logs what gorm itself complains of.
func (l statementLog) Error(_ context.Context, m string, _ ...any) { l.log.Error(m) }

// Trace logs a statement that failed for no reason of ours.
func (l statementLog) Trace(ctx context.Context, _ time.Time, statement func() (string, int64), err error) {
	if err == nil || isVerdict(err) || errors.Is(err, context.Canceled) {
		return
	}
	sql, _ := statement()
	l.log.ErrorContext(ctx, "statement failed", "sql", sql, "error", err)
}

// ParamsFilter keeps the parameters out of the text that Trace gets.
func (l statementLog) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}
