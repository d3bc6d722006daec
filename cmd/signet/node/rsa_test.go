//go:build cgo && linux && (amd64 || arm64)

package node

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/config"
	"signet/provider/keys/keystest"
	"signet/provider/keys/openssl"
	"signet/storage"
)

// A node starts and works with an OpenSSL that is missing or faulty: Go signs, and one event
// tells the operator.
func TestNode_StartsWithoutAWorkingOpenSSL(t *testing.T) {
	for name, c := range map[string]struct{ path, reason, text string }{
		"missing":     {filepath.Join(t.TempDir(), "libcrypto.so.3"), openssl.NoLibrary, "install it"},
		"LibreSSL":    {keystest.Libcrypto(t, "LibreSSL"), openssl.NoLibrary, "LibreSSL 3.9.2"},
		"flipped bit": {keystest.Libcrypto(t, "flipped bit"), openssl.WrongSignature, "does not verify"},
		"refusal":     {keystest.Libcrypto(t, "refusal"), openssl.LibraryError, "EVP_PKEY_sign"},
		"working":     {keystest.Libcrypto(t, ""), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			settings := config.Default()
			settings.Issuer, settings.DataDir = "http://localhost:1", filepath.Join(t.TempDir(), "data")
			engine := openssl.Open(openssl.Config{Paths: []string{c.path}})
			n, err := New(t.Context(), Deps{Config: settings, Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil)), RSA: engine})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			for _, j := range n.jobs() {
				if err := j.once(t.Context(), 1); err != nil {
					t.Errorf("%s: %v", j.fails, err)
				}
			}
			n.recordLast(t.Context())
			events, err := n.db.Events(t.Context(), storage.EventFilter{Type: storage.KeyEngineFailed}, 10)
			if err != nil {
				t.Fatal(err)
			}
			if c.reason == "" {
				if len(events) != 0 || strings.Contains(log.String(), "OpenSSL") || !strings.HasPrefix(engine.String(), "OpenSSL 3.") {
					t.Errorf("%s: events %v, log %s", engine, events, log.String())
				}
				return
			}
			if engine.String() != "go" || len(events) != 1 {
				t.Fatalf("%s signs, and there are %d events", engine, len(events))
			}
			e := events[0]
			if e.Outcome != storage.Refused || e.Reason != c.reason || e.From.Actor != "system" || e.Detail["node"] == "" || !strings.Contains(e.Detail["error"].(string), c.text) {
				t.Errorf("event %+v", e)
			}
			warnings := warningsOfRSA(engine)
			if c.reason == openssl.NoLibrary {
				if len(warnings) != 1 || !strings.Contains(warnings[0], c.text) || strings.Contains(log.String(), "OpenSSL") {
					t.Errorf("warnings %q, log %s", warnings, log.String())
				}
			} else if strings.Count(log.String(), c.reason) != 1 || e.Detail["library"] == "" {
				t.Errorf("the log does not name the reason once: %s", log.String())
			}
		})
	}
}
