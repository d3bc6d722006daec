package program_test

import (
	"path/filepath"
	"strings"
	"testing"

	"signet/cmd/signet/exit"
	"signet/storage/storagetest"
)

// TestFirstPartyClient_CheckAndServeWarnOfNone: a setting that names no client that would
// serve is no mistake, since the client may come later; check and serve say what to do. That
// both warn in the same words is TestConfigCheck_JudgesAsServeDoes.
func TestFirstPartyClient_CheckAndServeWarnOfNone(t *testing.T) {
	t.Parallel()
	house := newPreparedHouse(t)
	for id, want := range map[string]string{
		"":       "",
		"app":    "",
		"nobody": "create it with signet client create --id nobody --first-party",
		"plain":  "run signet client update plain --first-party",
		"off":    "run signet client enable off",
	} {
		env, file := house.lay(t, settingsCase{file: "issuer: https://id.example.com\n", env: map[string]string{"SIGNET_FIRST_PARTY_CLIENT_ID": id}}, t.TempDir())
		code, said := checkCase(t, env, file)
		if code != exit.OK || want == "" && said != "" || !strings.Contains(said, want) {
			t.Errorf("%q: exit code %d, %q, want it to say %q", id, code, said, want)
		}
	}
}

// TestFirstPartyClient_ServeLooksIntoPostgreSQL, which check does not call.
func TestFirstPartyClient_ServeLooksIntoPostgreSQL(t *testing.T) {
	t.Parallel()
	served := serveCase(t, []string{
		"SIGNET_ISSUER=https://id.example.com", "SIGNET_LISTEN=127.0.0.1:0", "SIGNET_DATA_DIR=" + filepath.Join(t.TempDir(), "data"),
		"SIGNET_DATABASE=" + storagetest.Postgres(t).Config().Database, "SIGNET_FIRST_PARTY_CLIENT_ID=nobody",
	}, "")
	defer served.stop()
	served.wantWarnings(t, `signet: first_party.client_id is "nobody", but there is no such client: create it with signet client create --id nobody --first-party, or name another client`)
}
