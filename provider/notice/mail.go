package notice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"signet/provider/link"
	"signet/provider/mail"
	"signet/provider/request"
	"signet/storage"
)

const (
	mailBatch     = 16               // mails that a node takes at once
	mailLease     = 3 * time.Minute  // longer than the longest batch
	mailBatchTime = 90 * time.Second // no mail of a batch begins later
	batchesAtOnce = 2                // of one SendMailsOnce: a node sends at most 32 mails a second, so that many mails do not slow requests down
	pauseOfMails  = 10 * time.Second // after the mail server could not be used
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
func (m *Mails) SendMailsOnce(ctx context.Context) error {
	if m.Mailer == nil {
		return nil
	}
	if at := m.Now(); at.Before(m.pausedUntil) && m.pausedUntil.Sub(at) <= pauseOfMails {
		return nil
	}
	waiting := true
	for range batchesAtOnce {
		var err error
		if waiting, err = m.sendNext(ctx); err != nil || !waiting {
			m.Mailer.Close()
			return err
		}
	}
	return ctx.Err()
}

// sendNext sends one batch. It reports whether more mails may be waiting for a mail server that
// works. A batch can take longer than a minute, so it reads the clock at each step.
func (m *Mails) sendNext(ctx context.Context) (waiting bool, err error) {
	claimed, err := m.DB.ClaimMails(ctx, storage.MailClaim{Kinds: storage.MailKinds, Limit: mailBatch, Lease: mailLease}, m.Now())
	if err != nil {
		return false, fmt.Errorf("send mails: %w", err)
	}
	if len(claimed) == 0 {
		return false, nil
	}
	results, usable, failed := m.sendBatch(ctx, claimed)
	if !usable {
		m.pausedUntil = m.Now().Add(pauseOfMails)
	}
	// The results are stored even while the node shuts down, and even if a later mail of the batch
	// could not be read.
	if err := errors.Join(failed, m.DB.SettleMails(context.WithoutCancel(ctx), results, m.Now())); err != nil {
		return false, fmt.Errorf("send mails: %w", err) // mails without a stored result are due again when the lease ends
	}
	return usable && len(claimed) == mailBatch, nil
}

// sendBatch makes one try with each mail and returns a result for each. usable reports whether
// the mail server works. An error means that the database could not be read; the mails after
// that are not tried.
func (m *Mails) sendBatch(ctx context.Context, claimed []storage.Mail) (results []storage.MailResult, usable bool, err error) {
	var messages []mail.Message
	var sent []storage.Mail
	for i, row := range claimed {
		message, code, failed := m.compose(ctx, row)
		switch {
		case failed != nil && (ctx.Err() != nil || errors.Is(failed, storage.ErrUnavailable)):
			for _, rest := range claimed[i:] {
				results = append(results, storage.MailResult{Mail: rest, NotTried: true})
			}
			err = failed
		case failed != nil:
			// This mail alone cannot be made now. The others of the batch can.
			results = append(results, m.result(row, &mail.Failure{Code: "not_composed", Text: failed.Error()}, failed))
		case code != "":
			m.Log.Info("a mail is not sent any more", "mail", row.ID, "kind", row.Message.Kind, "user_id", row.UserID, "error", code)
			results = append(results, storage.MailResult{Mail: row, Error: code, Needless: !slices.Contains(tooLate, code)})
		default:
			messages, sent = append(messages, message), append(sent, row)
		}
		if err != nil {
			break
		}
	}
	if len(messages) == 0 {
		return results, true, err
	}
	sending, cancel := context.WithTimeout(ctx, mailBatchTime)
	defer cancel()
	usable = true
	for i, failure := range m.Mailer.Send(sending, messages) {
		failed, _ := errors.AsType[*mail.Failure](failure)
		if failed != nil && failed.Server {
			usable = false
			if sending.Err() != nil {
				failed, failure = nil, mail.ErrNotTried // we ended the connection ourselves
			}
		}
		results = append(results, m.result(sent[i], failed, failure))
	}
	return results, usable, err
}

// result decides what becomes of a mail, and logs a failure. It does not log the address.
func (m *Mails) result(row storage.Mail, failed *mail.Failure, err error) storage.MailResult {
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
		result.RetryAt = m.Now().Add(mailDelays[row.Tries-1])
	}
	level, text := slog.LevelWarn, "cannot send a mail now; it is sent again later"
	if result.RetryAt.IsZero() {
		level, text = slog.LevelError, "a mail is given up; see: signet mail list"
	}
	m.Log.Log(context.Background(), level, text, "mail", row.ID, "kind", row.Message.Kind, "user_id", row.UserID,
		"error", failed.Code, "cause", failed.Text, "tries", row.Tries)
	return result
}

// tooLate lists the codes for mails that should have been sent earlier. The other mails that are not
// sent any more are needless: a newer one has a newer link, or the link or the account has ended.
var tooLate = []string{"too_old", "link_expired"}

// compose makes the mail of a row. code is not "" if the mail must not be sent any more.
func (m *Mails) compose(ctx context.Context, row storage.Mail) (message mail.Message, code string, err error) {
	at := m.Now()
	if at.Sub(row.CreatedAt.Time()) > storage.MailLife {
		return message, "too_old", nil
	}
	c := content{Mail: row, issuer: m.Issuer, zone: time.UTC}
	if row.Message.Link.ID != "" {
		l, err := m.DB.LinkToMail(ctx, row.Message.Link, at)
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
		// Anybody can register a client with any name. The pages show such a name with a warning
		// only, and a mail has no room for it.
		if !client.IsUnapproved() {
			c.application = client.Name
		}
	}
	if id := row.Message.Facts.Connector; id != "" {
		c.connector = m.ConnectorName(id)
	}
	texts, err := c.render()
	if err != nil {
		return message, "", err
	}
	return mail.Message{
		ID: row.ID, To: storage.TrimEmail(row.Recipient), Subject: texts.Subject, Text: texts.Text, HTML: texts.HTML, At: row.CreatedAt.Time(),
	}, "", nil
}
