package node

import (
	"os"
	"path/filepath"
	"testing"

	"signet/cmd/signet/config"
)

// TestWatch_FollowsTheFilesOfSecrets checks that a connector's new secret is used without a
// restart, and that the log asks for a restart if the master key changed.
func TestWatch_FollowsTheFilesOfSecrets(t *testing.T) {
	dir := t.TempDir()
	settings := filepath.Join(dir, "signet.yaml")
	if err := os.WriteFile(settings, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := config.Read(config.Sources{File: settings, Env: map[string]string{"SIGNET_GOOGLE_CLIENT_ID": "g", "SIGNET_GOOGLE_CLIENT_SECRET_FILE": secret}})
	if err := read.Err(); err != nil || len(read.Config.Connectors) != 1 {
		t.Fatalf("the connectors are %v: %v", read.Config.Connectors, err)
	}
	w := watch{read.Files, read.Files}
	looks := func(want ...bool) {
		t.Helper()
		for n, changed := range want {
			if got := w.changed(); got != changed {
				t.Errorf("look %d: changed is %v, want %v", n+1, got, changed)
			}
		}
	}
	looks(false, false)
	if err := os.WriteFile(secret, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	looks(false, true, false)
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	looks(false, true, false)
	if err := os.WriteFile(secret, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	looks(false)
	if err := os.WriteFile(secret, []byte("half and whole"), 0o600); err != nil {
		t.Fatal(err)
	}
	looks(false, true, false)
}
