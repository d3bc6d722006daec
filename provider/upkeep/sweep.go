package upkeep

import (
	"context"
	"time"

	"signet/storage"
)

// maxBatches limits the batches per kind of row in one sweep: 50,000 rows a minute.
const maxBatches = 100

// sweeper holds the state of SweepOnce between runs, which never overlap.
type sweeper struct {
	db     *storage.DB
	rules  []storage.SweepRule
	holder string // identifies this node in the lease
	walks  [2]storage.SessionCursor
}

func newSweeper(db *storage.DB, eventRetention time.Duration) *sweeper {
	return &sweeper{db: db, rules: storage.SweepRulesWith(eventRetention), holder: storage.NewID("sweep_"), walks: [2]storage.SessionCursor{{}, {Expired: true}}}
}

// SweepOnce gives up old mails, and deletes rows that are no longer needed: see storage.SweepRules,
// storage.DB.SweepUnusedClients, storage.DB.SweepSessions and storage.DB.SweepUnfinished. A lease
// selects one of several nodes; two at once would do no harm.
// The caller calls it once a minute, and never concurrently.
func (s *sweeper) SweepOnce(ctx context.Context, at time.Time) error {
	until, mine, err := s.db.StartSweep(ctx, s.holder, at)
	if err != nil || !mine {
		return err
	}
	if err := finishChanges(ctx, s.db); err != nil {
		return err
	}
	if err := inBatches(func() (bool, error) { return giveUpOldMails(ctx, s.db, until, at) }); err != nil {
		return err
	}
	for _, kind := range s.rules {
		err := inBatches(func() (bool, error) { return s.db.SweepRows(ctx, kind, until) })
		if err != nil {
			return err
		}
	}
	err = inBatches(func() (bool, error) {
		return s.db.SweepUnusedClients(ctx, storage.MaxUnapprovedClients, until, bySystem(at))
	})
	if err != nil {
		return err
	}
	for i := range s.walks {
		err := inBatches(func() (full bool, err error) {
			s.walks[i], full, err = s.db.SweepSessions(ctx, s.walks[i], until)
			return full, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// maxPortions limits the portions of unfinished changes in one sweep: 100,000 rows a minute.
const maxPortions = 1000

// finishChanges completes changes of many rows whose process was killed.
func finishChanges(ctx context.Context, db *storage.DB) error {
	for range maxPortions {
		if more, err := db.SweepUnfinished(ctx); err != nil || !more {
			return err
		}
	}
	return nil
}

// giveUpOldMails gives up mails that no node has sent for storage.MailLife, because this instance
// sends no mails any more, or because they are of a kind that only a newer release knows. Mails
// that were tried are given up by notice.Mails.
func giveUpOldMails(ctx context.Context, db *storage.DB, until, at time.Time) (full bool, err error) {
	claim := storage.MailClaim{DueBefore: until.Add(-storage.MailLife), Limit: storage.SweepBatch, Lease: time.Minute}
	old, err := db.ClaimMails(ctx, claim, at)
	if err != nil {
		return false, err
	}
	results := make([]storage.MailResult, len(old))
	for i, m := range old {
		results[i] = storage.MailResult{Mail: m, Error: "too_old"}
	}
	return len(old) == storage.SweepBatch, db.SettleMails(ctx, results, at)
}

// inBatches calls sweep until a batch is not full, at most maxBatches times.
func inBatches(sweep func() (full bool, err error)) error {
	for range maxBatches {
		if full, err := sweep(); err != nil || !full {
			return err
		}
	}
	return nil
}
