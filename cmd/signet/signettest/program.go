package signettest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/program"
)

// MovedClock is a clock that a GET request moves: the URL names the seconds.
func MovedClock(t *testing.T) (now func() time.Time, mover string) {
	t.Helper()
	var moved atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seconds, err := strconv.ParseInt(r.FormValue("seconds"), 10, 64)
		if err != nil {
			t.Errorf("move the clock: %v", err)
		}
		moved.Add(seconds * int64(time.Second))
	}))
	t.Cleanup(server.Close)
	return func() time.Time { return time.Now().Add(time.Duration(moved.Load())) }, server.URL
}

// StartSignet runs the program as main does and waits until it answers. At the end of the
// test it stops the program, which must end with exit code 0.
func StartSignet(t *testing.T, issuer string, env []string, args ...string) {
	t.Helper()
	StartSignetAt(t, time.Now, issuer, env, args...)
}

// StartSignetAt does the same with the clock of the test. The returned function ends the
// program before the end of the test.
func StartSignetAt(t *testing.T, now func() time.Time, issuer string, env []string, args ...string) (end func()) {
	t.Helper()
	_, end = served{issuer, env, now, http.DefaultClient}.start(t, args)
	return end
}

// StartTalking also returns the program's messages. It uses client to check whether the
// program answers.
func StartTalking(t *testing.T, client *http.Client, issuer string, env []string, args ...string) (talk *SyncBuffer, end func()) {
	t.Helper()
	return served{issuer, env, time.Now, client}.start(t, args)
}

// served is a running program that answers at its issuer.
type served struct {
	issuer string
	env    []string
	now    func() time.Time
	client *http.Client // checks whether the program answers
}

func (s served) start(t *testing.T, args []string) (talk *SyncBuffer, end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	talk = &SyncBuffer{}
	surroundings := Surroundings(s.env, "", talk, talk)
	surroundings.Now = s.now
	ended := make(chan int, 1)
	go func() {
		ended <- program.Run(ctx, surroundings, args)
	}()
	t.Cleanup(func() {
		stop()
		select {
		case code := <-ended:
			if code != exit.OK {
				t.Errorf("signet %s ended with exit code %d", args[0], code)
			}
		case <-time.After(15 * time.Second):
			t.Errorf("signet %s does not stop", args[0])
		}
		if t.Failed() {
			t.Logf("signet %s said:\n%s", args[0], talk.String())
		}
	})
	Eventually(t, 30*time.Second, "signet "+args[0]+" answers", func() bool {
		select {
		case code := <-ended:
			ended <- code
			t.Fatalf("signet %s ended with exit code %d before it answered", args[0], code)
		default:
		}
		response, err := s.client.Get(s.issuer + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return talk, func() {
		stop()
		ended <- <-ended
	}
}

// SyncBuffer is a buffer that the program writes while the test reads it.
type SyncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *SyncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *SyncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Surroundings returns the environment, streams and clock for a program that runs in the
// process of the test with [program.Run].
func Surroundings(env []string, stdin string, stdout, stderr io.Writer) *cli.Program {
	return &cli.Program{
		Env:    cli.ParseEnvironment(env),
		Stdin:  strings.NewReader(stdin),
		Stdout: stdout,
		Stderr: &cli.LockedWriter{To: stderr},
		Now:    time.Now,
	}
}

// Get returns the status and the body of the answer, and fails the test if none comes.
func Get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(read)
}
