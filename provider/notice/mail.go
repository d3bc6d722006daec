package notice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"signet/provider/link"
	"signet/provider/mail"
	"signet/provider/request"
	"signet/storage"
)

const (
	mailBatch      = 16               // mails that a node takes at once
	mailLease      = 3 * time.Minute  // longer than the longest batch
	mailBatchTime  = 90 * time.Second // no mail of a batch begins later
	batchesAtOnce  = 2                // of one SendMailsOnce: a node sends at most 32 mails a second, so that many mails do not slow requests down
	pauseOfMails   = 10 * time.Second // after the mail server could not be used
	mailStaysValid = 24 * time.Hour   // an older mail is not sent any more
)

// mailDelays lists the delay after each failed try. After the last one the mail is given up:
// 23 hours and 51 minutes after its act.
var mailDelays = []time.Duration{
	10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 10 * time.Hour,
}

// Mailer sends mails. mail.Server does; `signet dev` shows them instead. See mail.Server for the
// methods.
type Mailer interface {
	Send(ctx context.Context, list []mail.Message) []error
	Close()
}

// MailConfig of Mails. All fields are required.
type MailConfig struct {
	DB      *storage.DB
	Links   *link.Links
	Clients *request.Clients
	Mailer  Mailer // nil: this instance sends no mails
	// ConnectorName returns the name that people know a connector by.
	ConnectorName func(id string) string
	Issuer        *url.URL
	Now           func() time.Time
	Log           *slog.Logger
}

// Mails sends the mails of the outbox that are due. Several nodes can do this at the same time.
type Mails struct {
	MailConfig
	pausedUntil time.Time // the mail server could not be used
}

// NewMails returns the mails of a node.
func NewMails(c MailConfig) *Mails { return &Mails{MailConfig: c} }

// SendMailsOnce sends the next mails that are due, in small batches. The connection stays open
// while more are waiting. The caller calls it once a second; calls must not overlap. Failed mails
// are logged and sent again later; an error means that the database could not be read or written.
func (m *Mails) SendMailsOnce(ctx context.Context, at time.Time) error {
	if m.Mailer == nil || at.Before(m.pausedUntil) && m.pausedUntil.Sub(at) <= pauseOfMails {
		return nil
	}
	waiting := true
	for range batchesAtOnce {
		var err error
		if waiting, err = m.sendNext(ctx, at); err != nil || !waiting {
			m.Mailer.Close()
			return err
		}
	}
	return ctx.Err()
}

// sendNext sends one batch. It reports whether more mails may be waiting for a mail server that
// works.
func (m *Mails) sendNext(ctx context.Context, at time.Time) (waiting bool, err error) {
	claimed, err := m.DB.ClaimMails(ctx, storage.MailClaim{Limit: mailBatch, Lease: mailLease}, at)
	if err != nil {
		return false, fmt.Errorf("send mails: %w", err)
	}
	if len(claimed) == 0 {
		return false, nil
	}
	results, usable, err := m.sendBatch(ctx, claimed, at)
	if err != nil {
		return false, fmt.Errorf("send mails: %w", err) // the mails are due again when the lease ends
	}
	if !usable {
		m.pausedUntil = at.Add(pauseOfMails)
	}
	// The results are stored even while the node shuts down.
	if err := m.DB.SettleMails(context.WithoutCancel(ctx), results, at); err != nil {
		return false, fmt.Errorf("send mails: %w", err)
	}
	return usable && len(claimed) == mailBatch, nil
}

// sendBatch makes one try with each mail. usable reports whether the mail server works.
func (m *Mails) sendBatch(ctx context.Context, claimed []storage.Mail, at time.Time) (results []storage.MailResult, usable bool, err error) {
	var messages []mail.Message
	var sent []storage.Mail
	for _, row := range claimed {
		message, code, err := m.compose(ctx, row, at)
		if err != nil {
			return nil, false, err
		}
		if code != "" {
			m.Log.Info("a mail is not sent any more", "mail", row.ID, "kind", row.Message.Kind, "user_id", row.UserID, "error", code)
			results = append(results, storage.MailResult{Mail: row, Error: code})
			continue
		}
		messages, sent = append(messages, message), append(sent, row)
	}
	if len(messages) == 0 {
		return results, true, nil
	}
	sending, cancel := context.WithTimeout(ctx, mailBatchTime)
	defer cancel()
	usable = true
	for i, err := range m.Mailer.Send(sending, messages) {
		failed, _ := errors.AsType[*mail.Failure](err)
		if failed != nil && failed.Server {
			usable = false
			if sending.Err() != nil {
				failed, err = nil, mail.ErrNotTried // we ended the connection ourselves
			}
		}
		results = append(results, m.result(sent[i], failed, err, at))
	}
	return results, usable, nil
}

// result decides what becomes of a mail, and logs a failure. It does not log the address.
func (m *Mails) result(row storage.Mail, failed *mail.Failure, err error, at time.Time) storage.MailResult {
	result := storage.MailResult{Mail: row}
	switch {
	case err == nil:
		return result
	case failed == nil:
		result.NotTried = true
		return result
	}
	result.Error = failed.Code
	if !failed.Final && row.Tries <= int64(len(mailDelays)) {
		result.RetryAt = at.Add(mailDelays[row.Tries-1])
	}
	level, text := slog.LevelWarn, "cannot send a mail now; it is sent again later"
	if result.RetryAt.IsZero() {
		level, text = slog.LevelError, "a mail is given up; see: signet mail list"
	}
	m.Log.Log(context.Background(), level, text, "mail", row.ID, "kind", row.Message.Kind, "user_id", row.UserID,
		"error", failed.Code, "cause", failed.Text, "tries", row.Tries)
	return result
}

// compose makes the mail of a row. code is not "" if the mail must not be sent any more.
func (m *Mails) compose(ctx context.Context, row storage.Mail, at time.Time) (message mail.Message, code string, err error) {
	if at.Sub(row.CreatedAt.Time()) > mailStaysValid {
		return message, "too_old", nil
	}
	c := content{Mail: row, issuer: m.Issuer, zone: time.UTC}
	if row.Message.Link.ID != "" {
		l, err := m.DB.OpenMailLink(ctx, row.Message.Link, at)
		if dead, is := errors.AsType[*storage.DeadLinkError](err); is {
			return message, dead.Code, nil
		}
		if err != nil {
			return message, "", err
		}
		if c.link, err = m.Links.URL(l.Ref(), l.ExpiresAt.Time()); err != nil {
			return message, "", err
		}
	}
	if row.UserID != "" {
		u, err := m.DB.User(ctx, row.UserID)
		if errors.Is(err, storage.ErrNotFound) {
			return message, "user_deleted", nil
		}
		if err != nil {
			return message, "", err
		}
		c.setUser(u)
	}
	if row.ClientID != "" {
		client, err := m.Clients.Enabled(ctx, row.ClientID)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return message, "", err
		}
		c.application = client.Name
	}
	if id := row.Message.Facts.Connector; id != "" {
		c.connector = m.ConnectorName(id)
	}
	texts, err := c.render()
	if err != nil {
		return message, "", err
	}
	return mail.Message{
		ID: row.ID, To: row.Recipient, Subject: texts.Subject, Text: texts.Text, HTML: texts.HTML, At: row.CreatedAt.Time(),
	}, "", nil
}
