package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"signet/provider/directory"
	"signet/storage"
)

// Target is a webhook of the settings. The zero value is none.
type Target struct {
	URL    string // https, or http to a loopback host
	Secret Secret
	Types  []storage.EventType // empty: all types
}

// IsSet reports whether events are sent.
func (t Target) IsSet() bool { return t.URL != "" }

// Forwarding returns the events that storage queues for the target.
func (t Target) Forwarding() storage.Forwarding {
	return storage.Forwarding{On: t.IsSet(), Types: t.Types}
}

const (
	batchSize = 50               // events that a node takes at once
	batchTime = time.Minute      // no event of a batch is sent later
	lease     = 3 * time.Minute  // longer than the longest batch
	batches   = 10               // of one SendOnce
	pause     = 10 * time.Second // after the receiver did not accept an event
)

// delays lists the delay after each failed try. After the last one the event is given up: 23 hours and 51
// minutes after it happened.
var delays = []time.Duration{
	10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 10 * time.Hour,
}

// Config of a Sender. All fields are required.
type Config struct {
	DB     *storage.DB
	Target Target
	HTTP   *http.Client // limits time and size of a call; redirects are never followed
	Now    func() time.Time
	Log    *slog.Logger
}

// Sender sends the queued events. Several nodes can do this at the same time.
type Sender struct {
	Config
	http        *http.Client
	pausedUntil time.Time
}

// New returns the sender of a node.
func New(c Config) *Sender {
	once := *c.HTTP
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Sender{Config: c, http: &once}
}

// SendOnce sends the events that are due, one after the other, the oldest first. After a failure the
// others wait: the receiver would probably not accept them either. The caller calls it once a second;
// calls must not overlap. Failed calls are logged and repeated later; an error means that the database
// could not be read or written.
func (s *Sender) SendOnce(ctx context.Context) error {
	if !s.Target.IsSet() {
		return nil
	}
	if at := s.Now(); at.Before(s.pausedUntil) && s.pausedUntil.Sub(at) <= pause {
		return nil
	}
	for range batches {
		more, err := s.sendBatch(ctx)
		if err != nil {
			return fmt.Errorf("send events to the webhook: %w", err)
		}
		if !more {
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// sendBatch sends one batch, and reports whether more events may be waiting for a receiver that works.
func (s *Sender) sendBatch(ctx context.Context) (more bool, err error) {
	begun := s.Now()
	claimed, err := s.DB.ClaimDeliveries(ctx, batchSize, lease, begun)
	if err != nil || len(claimed) == 0 {
		return false, err
	}
	var results []storage.DeliveryResult
	failed := false
	for _, d := range claimed {
		late := s.Now().Sub(begun) > batchTime
		switch {
		case d.Event.ID == "": // older than the retention
			results = append(results, storage.DeliveryResult{Delivery: d})
			continue
		case failed || late || ctx.Err() != nil:
			results = append(results, storage.DeliveryResult{Delivery: d, Error: "not_tried", RetryAt: s.afterPause(failed), NotTried: true})
			continue
		}
		code := s.post(ctx, d.Event)
		if code != "" && ctx.Err() != nil { // we ended the call ourselves
			results = append(results, storage.DeliveryResult{Delivery: d, Error: code, RetryAt: s.Now(), NotTried: true})
			continue
		}
		results = append(results, s.result(d, code))
		failed = code != ""
	}
	if failed {
		s.pausedUntil = s.Now().Add(pause)
	}
	// The results are stored even while the node shuts down.
	err = s.DB.SettleDeliveries(context.WithoutCancel(ctx), results, s.Now())
	return !failed && len(claimed) == batchSize, err
}

// afterPause returns the time at which an event is due that was not tried.
func (s *Sender) afterPause(failed bool) time.Time {
	if failed {
		return s.Now().Add(pause)
	}
	return s.Now()
}

// result returns the result of one try that ended with a code; "": success.
func (s *Sender) result(d storage.EventDelivery, code string) storage.DeliveryResult {
	r := storage.DeliveryResult{Delivery: d, Error: code}
	if code == "" {
		return r
	}
	if d.Tries <= int64(len(delays)) {
		r.RetryAt = s.Now().Add(delays[d.Tries-1])
	}
	s.Log.Warn("the webhook did not accept an event", "event", d.EventID, "error", code, "tries", d.Tries, "given_up", r.RetryAt.IsZero())
	return r
}

// body is the document of a request, as Standard Webhooks recommends it.
type body struct {
	Type      string                  `json:"type"`
	Timestamp time.Time               `json:"timestamp"`
	Data      directory.EventDocument `json:"data"`
}

// post sends an event and returns a stable code; "": the receiver has accepted it. The id is that of the
// event, so that a receiver recognizes a repeated one.
func (s *Sender) post(ctx context.Context, e storage.Event) (code string) {
	document := directory.DescribeEvent(e)
	content, err := json.Marshal(body{document.Type, document.At, document})
	if err != nil {
		return "not_encoded"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Target.URL, bytes.NewReader(content))
	if err != nil {
		return "malformed_url"
	}
	at := s.Now()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("webhook-id", e.ID)
	r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("webhook-signature", s.Target.Secret.sign(e.ID, at, content))
	answer, err := s.http.Do(r)
	if err != nil {
		var network net.Error
		if errors.As(err, &network) && network.Timeout() {
			return "timeout"
		}
		return "unreachable"
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	switch status := answer.StatusCode; {
	case status >= 200 && status < 300:
		return ""
	case status >= 300 && status < 400:
		return "redirected"
	default:
		return fmt.Sprintf("status_%d", status)
	}
}
