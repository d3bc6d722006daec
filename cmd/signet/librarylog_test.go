package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestServe_SaysARefusalOnce sends a client with a wrong secret: our line about
// the request is the only one, but at debug level.
func TestServe_SaysARefusalOnce(t *testing.T) {
	for level, library := range map[string]bool{"info": false, "debug": true} {
		t.Run(level, func(t *testing.T) {
			i := newInstance(t)
			i.env = append(i.env, "SIGNET_LOG_LEVEL="+level)
			client := i.createClient(t, "--type", "service")
			ctx, stop := context.WithCancel(t.Context())
			var log syncBuffer
			ended := make(chan int, 1)
			go func() { ended <- run(ctx, []string{"serve"}, i.env, strings.NewReader(""), &log, &log) }()
			eventually(t, 30*time.Second, "signet serve answers", func() bool {
				response, err := http.Get(i.issuer + "/readyz")
				if err == nil {
					response.Body.Close()
				}
				return err == nil && response.StatusCode == http.StatusOK
			})
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.issuer+"/token",
				strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.SetBasicAuth(client.ID, "not the secret")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			stop()
			if code := <-ended; code != exitOK {
				t.Fatalf("exit code %d:\n%s", code, log.String())
			}
			ours, theirs := linesOf(t, log.String())
			if ours != 1 || (theirs > 0) != library {
				t.Errorf("%d lines of ours about /token and %d of the library:\n%s", ours, theirs, log.String())
			}
			if strings.Contains(log.String(), "not the secret") {
				t.Error("the log holds the secret that was tried")
			}
		})
	}
}

// linesOf counts the lines about requests to /token, and those of the library.
func linesOf(t *testing.T, log string) (ours, theirs int) {
	t.Helper()
	for line := range strings.Lines(log) {
		var entry struct{ Level, Path, From string }
		if !strings.HasPrefix(line, "{") {
			continue // the banner
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		switch {
		case entry.From == "library" && entry.Level == "DEBUG":
			theirs++
		case entry.From == "library":
			t.Errorf("the library speaks at level %s: %s", entry.Level, line)
		case entry.Path == "/token":
			ours++
		}
	}
	return ours, theirs
}

func TestLibraryLog_GroupsAndAttributesStayAtDebug(t *testing.T) {
	var out bytes.Buffer
	quiet := slog.New(libraryLog{slog.NewTextHandler(&out, nil)})
	quiet.With("a", 1).WithGroup("g").Error("loud")
	if out.Len() != 0 {
		t.Errorf("at info the library says %s", out.String())
	}
	chatty := slog.New(libraryLog{slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})})
	chatty.With("a", 1).WithGroup("g").Error("loud", "b", 2)
	if got := out.String(); !strings.Contains(got, "level=DEBUG msg=loud a=1 g.b=2") {
		t.Errorf("at debug the library says %s", got)
	}
}
