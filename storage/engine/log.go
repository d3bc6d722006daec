package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// gorm's Scan records each statement with its parameters, even if nothing logs it. This makes
// gorm record the statement without them, in the whole process.
func init() {
	logger.RecorderParamsFilter = func(_ context.Context, sql string, _ ...any) (string, []any) { return sql, nil }
}

// gormConfig returns the configuration of gorm for every connection. A use case is one
// transaction, so gorm must not open transactions by itself.
func gormConfig(log *slog.Logger) *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		Logger:                 statementLog{log},
	}
}

// statementLog logs statements that fail unexpectedly, without their parameters.
type statementLog struct{ log *slog.Logger }

// LogMode does nothing: there is only one level.
func (l statementLog) LogMode(logger.LogLevel) logger.Interface { return l }

// Info logs nothing.
func (l statementLog) Info(context.Context, string, ...any) {}

// Warn logs nothing.
func (l statementLog) Warn(context.Context, string, ...any) {}

// Error logs complaints of gorm itself.
func (l statementLog) Error(_ context.Context, m string, _ ...any) { l.log.Error(m) }

// Trace logs a statement that failed unexpectedly.
func (l statementLog) Trace(ctx context.Context, _ time.Time, statement func() (string, int64), err error) {
	if err == nil || isVerdict(err) || errors.Is(err, context.Canceled) {
		return
	}
	sql, _ := statement()
	l.log.ErrorContext(ctx, "statement failed", "sql", sql, "error", err)
}

// ParamsFilter removes the parameters from the text that Trace gets.
func (l statementLog) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) {
	return sql, nil
}
