package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// ConnectorHealth holds the results of the last sign-ins through a connector, on any node.
type ConnectorHealth struct {
	Connector     string
	SucceededAt   Millis // zero: never
	FailedAt      Millis // zero: never
	FailureCode   string // a stable code
	FailureReason string // for operators; contains no secret
}

// TableName returns the name of the table, which is not the plural that gorm would use.
func (ConnectorHealth) TableName() string { return "connector_health" }

const longestReason = 500

// UpdateConnectorHealth stores the last success and the last failure of a connector. Older
// moments than the stored ones change nothing, so nodes may call it in any order.
func (db *DB) UpdateConnectorHealth(ctx context.Context, h ConnectorHealth) error {
	if err := refuseImpossible(h.Connector); err != nil {
		return fmt.Errorf("update connector health: %w", err)
	}
	return db.write(ctx, "update connector health", func(tx *gorm.DB) error {
		return tx.Exec(`INSERT INTO connector_health AS h (connector, succeeded_at, failed_at, failure_code, failure_reason)
			VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (connector) DO UPDATE SET
				succeeded_at = CASE WHEN excluded.succeeded_at > h.succeeded_at THEN excluded.succeeded_at ELSE h.succeeded_at END,
				failed_at = CASE WHEN excluded.failed_at > h.failed_at THEN excluded.failed_at ELSE h.failed_at END,
				failure_code = CASE WHEN excluded.failed_at > h.failed_at THEN excluded.failure_code ELSE h.failure_code END,
				failure_reason = CASE WHEN excluded.failed_at > h.failed_at THEN excluded.failure_reason ELSE h.failure_reason END`,
			h.Connector, h.SucceededAt, h.FailedAt, cleanText(h.FailureCode, longestName), cleanText(h.FailureReason, longestReason)).Error
	})
}

// ConnectorHealth reads the health of all connectors, by connector ID. A connector that nobody
// has used is not in the map.
func (db *DB) ConnectorHealth(ctx context.Context) (map[string]ConnectorHealth, error) {
	var list []ConnectorHealth
	err := db.read(ctx, "read connector health", func(q *gorm.DB) error { return q.Find(&list).Error })
	known := make(map[string]ConnectorHealth, len(list))
	for _, h := range list {
		known[h.Connector] = h
	}
	return known, err
}
