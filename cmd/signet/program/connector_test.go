package program_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/program"
	"signet/federation/federationtest"
)

// checkable holds upstreams on real ports and a settings file that names them.
type checkable struct {
	google *federationtest.Google
	github *federationtest.GitHub
	liar   *federationtest.Lying
	file   string
}

func startCheckable(t *testing.T) checkable {
	t.Helper()
	var c checkable
	var err error
	setup := func(id string) federationtest.Setup {
		return federationtest.Setup{RedirectURIs: []string{"https://id.example.com/login/" + id + "/callback"}, ClientSecret: "hunter2"}
	}
	if c.google, err = federationtest.StartGoogle(setup("google")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.google.Close)
	if c.github, err = federationtest.StartGitHub(setup("github")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.github.Close)
	if c.liar, err = federationtest.StartLying(setup("liar")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.liar.Close)
	c.file = filepath.Join(t.TempDir(), "signet.yaml")
	settings := fmt.Sprintf(`issuer: https://id.example.com
connectors:
  - {id: google, type: google, client_id: %q, client_secret: hunter2, issuer: %q}
  - {id: github, type: github, client_id: %q, client_secret: hunter2, base_url: %q}
  - {id: liar, type: oidc, client_id: %q, client_secret: hunter2, issuer: %q}
`, c.google.ClientID, c.google.URL, c.github.ClientID, c.github.URL, c.liar.ClientID, c.liar.URL)
	if err := os.WriteFile(c.file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// check runs `signet connector check` with a clock that is wrong by off.
func (c checkable) check(t *testing.T, off time.Duration, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	now := func() time.Time { return time.Now().Add(off) }
	args = append([]string{"connector", "check", "--config", c.file}, args...)
	if got := program.Run(t.Context(), &cli.Program{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &talk, Now: now}, args); got != want {
		t.Errorf("%q: got exit code %d, want %d\n%s%s", args, got, want, &out, &talk)
	}
	if strings.Contains(out.String()+talk.String(), "hunter2") {
		t.Errorf("%q prints a secret", args)
	}
	return out.String(), talk.String()
}

func TestConnectorCheck_AllWork(t *testing.T) {
	c := startCheckable(t)
	out, talk := c.check(t, 0, exit.OK)
	lines := strings.Split(strings.Join(strings.Fields(out), " "), " redirect URI ")
	for i, want := range []string{
		"google ok", "https://id.example.com/login/google/callback issuer " + c.google.URL, "https://id.example.com/login/github/callback issuer " + c.github.URL,
		"https://id.example.com/login/liar/callback issuer " + c.liar.URL,
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("part %d of the report does not begin with %q:\n%s", i, want, out)
		}
	}
	for _, want := range []string{"signs with RS256", "keys 1", "scopes openid email profile", "scopes read:user user:email", "PKCE yes", "clock "} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("the report does not contain %q:\n%s", want, out)
		}
	}
	if talk != "" {
		t.Errorf("all connectors work, but the command prints %q", talk)
	}
	if out, _ := c.check(t, 0, exit.OK, "github"); strings.Contains(out, "google") {
		t.Errorf("check github reports\n%s", out)
	}
}

func TestConnectorCheck_ReportsTheFault(t *testing.T) {
	c := startCheckable(t)
	for _, lie := range []struct {
		what   string
		faults federationtest.Faults
		off    time.Duration
		code   int
		want   string
	}{
		{"other issuer", federationtest.Faults{Discovery: map[string]any{"issuer": "https://evil.example"}}, 0, exit.Failure, "issuer"},
		{"no algorithm in common", federationtest.Faults{Discovery: map[string]any{"id_token_signing_alg_values_supported": []string{"none"}}}, 0, exit.Failure, "algorithms"},
		{"a captive portal", federationtest.Faults{Wire: map[string]federationtest.WireFault{"discovery": federationtest.HTML}}, 0, exit.Failure, "not one plain JSON value"},
		{"keys broken off", federationtest.Faults{Wire: map[string]federationtest.WireFault{"jwks": federationtest.Reset}}, 0, exit.Unreachable, "keys"},
		{"no sign-in page", federationtest.Faults{Wire: map[string]federationtest.WireFault{"authorize": federationtest.ServerError}}, 0, exit.Unreachable, "sign-in page"},
		{"no key for its algorithm", federationtest.Faults{Keys: func(map[string]any) []any { return []any{federationtest.NewPublicJWK("RS256")} }}, 0, exit.Failure, "ES256"},
		{"our clock is behind", federationtest.Faults{}, -330 * time.Second, exit.Failure, "its clock is 5m"},
	} {
		t.Run(lie.what, func(t *testing.T) {
			c.liar.SetFaults(lie.faults)
			out, talk := c.check(t, lie.off, lie.code, "liar")
			if !strings.HasPrefix(out, "liar") || !strings.Contains(out, "NOT WORKING") || !strings.Contains(strings.Split(out, "\n")[0], lie.want) {
				t.Errorf("want NOT WORKING and %q in the first line of\n%s", lie.want, out)
			}
			if !strings.Contains(talk, "users cannot sign in through liar") || !strings.Contains(talk, "signet connector check liar") {
				t.Errorf("the error does not name the next step: %s", talk)
			}
		})
	}
}

func TestConnectorCheck_JSONIfOneIsDown(t *testing.T) {
	c := startCheckable(t)
	c.github.Close()
	out, _ := c.check(t, 0, exit.Unreachable, "--json")
	var report struct {
		Connectors []struct {
			ID, Issuer, Error string
			OK                bool
			Keys              int
			Warnings          []string
			RedirectURI       string `json:"redirect_uri"`
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	ids := []string{}
	for _, found := range report.Connectors {
		ids = append(ids, found.ID)
		if down := found.ID == "github"; found.OK == down || (found.Error == "") == down || found.RedirectURI != "https://id.example.com/login/"+found.ID+"/callback" || found.Warnings == nil {
			t.Errorf("got %+v", found)
		}
	}
	if !slices.Equal(ids, []string{"google", "github", "liar"}) || report.Connectors[0].Keys != 1 {
		t.Errorf("got %+v", report)
	}
}

// The check finds faults that only the upstream can know, such as a wrong client secret.
func TestConnectorCheck_TriesTheClient(t *testing.T) {
	c := startCheckable(t)
	honest, err := os.ReadFile(c.file)
	if err != nil {
		t.Fatal(err)
	}
	c.liar.SetFaults(federationtest.Faults{RequireClientAuth: true})
	c.check(t, 0, exit.OK)
	for wrong, want := range map[string]string{
		"client_secret: wrong": "client", `client_id: "somebody"`: "client", "issuer: https://other.example.com": "redirect URI",
	} {
		key, _, _ := strings.Cut(wrong, ":")
		settings := regexp.MustCompile(`(?m)\b`+key+`: [^,\n}]*`).ReplaceAllLiteral(honest, []byte(wrong))
		if key == "issuer" {
			settings = bytes.Replace(honest, []byte("issuer: https://id.example.com"), []byte(wrong), 1)
		}
		if err := os.WriteFile(c.file, settings, 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := c.check(t, 0, exit.Failure, "--json")
		var report struct {
			Connectors []struct {
				ID, Code, Error string
				OK              bool
			}
		}
		if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Connectors) != 3 {
			t.Fatalf("%v in %s", err, out)
		}
		for _, found := range report.Connectors {
			if found.OK || found.Code != "connector_misconfigured" || !strings.Contains(found.Error, want) {
				t.Errorf("%s: got %+v", wrong, found)
			}
		}
	}
}
