package program_test

import (
	"path/filepath"
	"strings"
	"testing"

	"signet/cmd/signet/exit"
	"signet/storage/storagetest"
)

// If first_party.client_id names no suitable client, check and serve warn and name the next step.
// It is no mistake, because the client may be created later. TestConfigCheck_AgreesWithServe
// checks that both warn in the same words.
func TestFirstPartyClient_CheckAndServeWarnIfMissing(t *testing.T) {
	t.Parallel()
	template := newCaseTemplate(t)
	for id, want := range map[string]string{
		"":       "",
		"app":    "",
		"nobody": "create it with signet client create --id nobody --first-party",
		"plain":  "run signet client update plain --first-party",
		"off":    "run signet client enable off",
	} {
		env, file := template.install(t, settingsCase{file: "issuer: https://id.example.com\n", env: map[string]string{"SIGNET_FIRST_PARTY_CLIENT_ID": id}}, t.TempDir())
		code, output := runCheck(t, env, file)
		if code != exit.OK || want == "" && output != "" || !strings.Contains(output, want) {
			t.Errorf("%q: exit code %d, %q, want it to say %q", id, code, output, want)
		}
	}
}

// config check does not call PostgreSQL, so only serve can look for the client there.
func TestFirstPartyClient_ServeReadsPostgreSQL(t *testing.T) {
	t.Parallel()
	served := runServe(t, []string{
		"SIGNET_ISSUER=https://id.example.com", "SIGNET_LISTEN=127.0.0.1:0", "SIGNET_DATA_DIR=" + filepath.Join(t.TempDir(), "data"),
		"SIGNET_DATABASE=" + storagetest.Postgres(t).Config().Database, "SIGNET_FIRST_PARTY_CLIENT_ID=nobody",
	}, "")
	defer served.stop()
	served.wantWarnings(t, `signet: first_party.client_id is "nobody", but there is no such client: create it with signet client create --id nobody --first-party, or name another client`)
}
