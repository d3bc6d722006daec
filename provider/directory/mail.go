package directory

import (
	"context"
	"time"

	"signet/storage"
)

// MailDocument is the JSON form of a mail of the outbox. It has no text and no link: they are not
// stored.
type MailDocument struct {
	ID          string    `json:"id"`
	Kind        string    `json:"kind"`
	Recipient   string    `json:"recipient"`
	UserID      string    `json:"sub,omitempty" doc:"id of the user"`
	State       string    `json:"state" doc:"waiting, retrying, delivered or given_up"`
	Tries       int64     `json:"tries"`
	Error       string    `json:"error,omitempty" doc:"code of the last failure"`
	CreatedAt   time.Time `json:"created_at"`
	DueAt       time.Time `json:"due_at,omitzero" doc:"the next try"`
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
	GivenUpAt   time.Time `json:"given_up_at,omitzero"`
}

// DescribeMail returns the JSON form of a mail.
func DescribeMail(m storage.Mail) MailDocument {
	d := MailDocument{
		ID: m.ID, Kind: string(m.Message.Kind), Recipient: m.Recipient, UserID: m.UserID, State: string(m.State()), Tries: m.Tries, Error: m.LastError,
		CreatedAt: m.CreatedAt.Time(), DeliveredAt: m.DeliveredAt.Time(), GivenUpAt: m.GivenUpAt.Time(),
	}
	if m.State() == storage.MailWaiting || m.State() == storage.MailRetrying {
		d.DueAt = m.DueAt.Time()
	}
	return d
}

// UnknownMailError: there is no mail with this id.
type UnknownMailError struct{ ID string }

// Error names the id.
func (e *UnknownMailError) Error() string { return "there is no mail " + shortened(e.ID) }

// Unwrap returns storage.ErrNotFound.
func (e *UnknownMailError) Unwrap() error { return storage.ErrNotFound }

// RetryMails sends mails again that were given up, or that wait for another try: those with these ids,
// or all that were given up. It returns their number. Event mail.retried.
//
// Errors: *UnknownMailError: nothing was changed.
func (d *Directory) RetryMails(ctx context.Context, ids []string, from storage.Origin) (total int64, err error) {
	for _, id := range ids {
		found, err := d.db.Mails(ctx, storage.MailFilter{ID: id}, 1)
		if err != nil {
			return 0, err
		}
		if len(found) == 0 {
			return 0, &UnknownMailError{id}
		}
	}
	for {
		n, err := d.db.RetryMails(ctx, ids, d.by(from))
		total += n
		if err != nil || len(ids) > 0 || n < storage.SweepBatch {
			return total, err
		}
	}
}
