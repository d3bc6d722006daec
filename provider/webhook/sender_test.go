package webhook_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/provider/outbound"
	"signet/provider/webhook"
	"signet/storage"
	"signet/storage/storagetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// receiver is an HTTP server that records the ids of the events it gets, and answers as told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []string
	bodies []map[string]any
	answer func(w http.ResponseWriter, r *http.Request)
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		content, _ := io.ReadAll(request.Body)
		var body map[string]any
		json.Unmarshal(content, &body)
		r.mu.Lock()
		r.got, r.bodies = append(r.got, request.Header.Get("webhook-id")), append(r.bodies, body)
		answer := r.answer
		r.mu.Unlock()
		if answer != nil {
			answer(w, request)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answerWith(answer func(http.ResponseWriter, *http.Request)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// took returns the ids that the receiver got since the last call.
func (r *receiver) took() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// world is a database with a webhook, and a node that sends.
type world struct {
	*storage.DB
	*webhook.Sender
	receiver *receiver
	now      time.Time
}

func eachWorld(t *testing.T, run func(t *testing.T, w *world)) {
	t.Helper()
	storagetest.Each(t, func(t *testing.T, b storagetest.Backend) {
		w := &world{receiver: newReceiver(t), now: noon}
		config := b.Config()
		config.Forwarding = storage.Forwarding{On: true}
		var err error
		if w.DB, err = storage.Open(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.DB.Close() })
		w.Sender = w.node(t)
		run(t, w)
	})
}

// node returns the sender of another node.
func (w *world) node(t *testing.T) *webhook.Sender {
	t.Helper()
	secret, err := webhook.ParseSecret("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return webhook.New(webhook.Config{
		DB: w.DB, Target: webhook.Target{URL: w.receiver.URL, Secret: secret}, HTTP: outbound.New(outbound.Config{Timeout: 200 * time.Millisecond}).Configured(),
		Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler),
	})
}

// record records n events and returns their ids, the oldest first.
func (w *world) record(t *testing.T, n int) (ids []string) {
	t.Helper()
	for i := range n {
		e := storage.Event{Type: storage.KeyAlarm, Outcome: storage.Succeeded, Reason: fmt.Sprint("r", i)}
		if err := w.RecordEvent(t.Context(), e, w.now.Add(time.Duration(i)*time.Millisecond-time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := w.Events(t.Context(), storage.EventFilter{Type: storage.KeyAlarm}, n)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range slices.Backward(list) {
		ids = append(ids, e.ID)
	}
	return ids
}

func (w *world) send(t *testing.T) {
	t.Helper()
	if err := w.SendOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestSender_SendsEachEventOnceAndInOrder(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		want := w.record(t, 120) // more than two batches
		w.send(t)
		if got := w.receiver.took(); !slices.Equal(got, want) {
			t.Errorf("%d events, want %d in the order in which they were recorded", len(got), len(want))
		}
		body := w.receiver.bodies[0]
		if data, _ := body["data"].(map[string]any); body["type"] != "key.alarm" || data["id"] != want[0] || data["reason"] != "r0" {
			t.Errorf("body %v", body)
		}
		w.now = w.now.Add(time.Hour)
		w.send(t)
		if got := w.receiver.took(); len(got) != 0 {
			t.Errorf("%d events were sent again", len(got))
		}
	})
}

// A receiver that hangs, refuses, is gone or redirects gets the event again later, with the same id, and
// is not asked for the others meanwhile. Nothing is lost.
func TestSender_RepeatsWhatIsNotAccepted(t *testing.T) {
	elsewhere := newReceiver(t)
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"hangs": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"500":   status(500), "404": status(404), "410": status(410),
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"ends the call": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				want := w.record(t, 3)
				w.receiver.answerWith(answer)
				w.send(t)
				if got := w.receiver.took(); !slices.Equal(got, want[:1]) {
					t.Errorf("the receiver got %v, want only the first of %v", got, want)
				}
				w.send(t) // within the pause
				if got := w.receiver.took(); len(got) != 0 {
					t.Errorf("the receiver got %v within the pause", got)
				}
				w.receiver.answerWith(nil)
				w.now = w.now.Add(time.Minute)
				w.send(t)
				got := w.receiver.took()
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("then it got %v, want %v", got, want)
				}
			})
		})
	}
	if got := elsewhere.took(); len(got) != 0 {
		t.Errorf("a redirect was followed: %v", got)
	}
}

// A node dies after the receiver has accepted the event and before it noted that. Another one sends the
// event again, with the same id.
func TestSender_SendsAgainAfterANodeDied(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		want := w.record(t, 1)
		if claimed, err := w.ClaimDeliveries(t.Context(), 10, 3*time.Minute, w.now); err != nil || len(claimed) != 1 {
			t.Fatalf("%d events, %v", len(claimed), err)
		}
		other := w.node(t)
		if err := other.SendOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.receiver.took(); len(got) != 0 {
			t.Errorf("got %v although another node was sending it", got)
		}
		w.now = w.now.Add(3 * time.Minute)
		if err := other.SendOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.receiver.took(); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// Three nodes that send at the same time do not send an event twice.
func TestSender_NodesShareTheEvents(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		want := w.record(t, 150)
		var all sync.WaitGroup
		for range 3 {
			node := w.node(t)
			all.Go(func() {
				if err := node.SendOnce(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		w.send(t) // those that a node claimed when the others found none
		got := w.receiver.took()
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%d events, %d different; want %d", len(got), len(slices.Compact(got)), len(want))
		}
	})
}

// After a day of failures the event is given up with an event that is not sent itself, and an operator can
// have it sent again.
func TestSender_GivesUpAfterADayAndSendsAgainOnDemand(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		want := w.record(t, 1)
		w.receiver.answerWith(status(503))
		tries, failed := 0, []storage.Event{}
		for range 30 * 60 {
			w.now = w.now.Add(time.Minute)
			w.send(t)
			tries += len(w.receiver.took())
			var err error
			if failed, err = w.Events(t.Context(), storage.EventFilter{Type: storage.WebhookFailed}, 10); err != nil {
				t.Fatal(err)
			}
			if len(failed) > 0 {
				break
			}
		}
		if lasted := w.now.Sub(noon); tries != 11 || lasted < 23*time.Hour || lasted > 24*time.Hour+30*time.Minute {
			t.Errorf("%d tries in %v", tries, lasted)
		}
		if len(failed) != 1 || failed[0].Reason != "status_503" || fmt.Sprint(failed[0].Detail["events"]) != fmt.Sprint(want) {
			t.Fatalf("events %+v", failed)
		}
		w.receiver.answerWith(nil)
		w.now = w.now.Add(24 * time.Hour)
		w.send(t)
		if got := w.receiver.took(); len(got) != 0 {
			t.Errorf("the receiver got %v after it was given up", got)
		}
		if err := w.ResendEvents(t.Context(), want, storage.By{From: storage.Origin{Actor: "cli"}, At: w.now}); err != nil {
			t.Fatal(err)
		}
		w.send(t)
		if got := w.receiver.took(); len(got) != 2 || got[0] != want[0] { // and webhook.resent
			t.Errorf("got %v, want %v and the event webhook.resent", got, want)
		}
		if err := w.ResendEvents(t.Context(), []string{"evt_none", want[0]}, storage.By{At: w.now}); err == nil {
			t.Error("an unknown event can be sent again")
		}
	})
}
