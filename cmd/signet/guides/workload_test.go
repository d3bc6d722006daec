package guides_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
	"signet/provider/providertest"
)

// TestClients_WorkloadExamples follows docs/clients.md: it adds the federations with the commands of
// the page, and runs the script of each example in the surroundings that GitHub, GitLab and
// Kubernetes document. The issuers are pretend ones.
func TestClients_WorkloadExamples(t *testing.T) {
	t.Parallel()
	i := signettest.NewInstance(t)
	commands, examples := workloadsOf(t)
	run(t, i, commands, "client create --id deploy ", "")
	bed := &providertest.Testbed{Issuer: i.Issuer, Clock: &providertest.Clock{}}
	token := func(kind, subject string, claims func(issuer string) map[string]any) string {
		issuer := providertest.ServeIssuer(t)
		run(t, i, commands, "client federation add deploy "+kind+" ", issuer.URL)
		changed := claims(issuer.URL)
		changed["sub"] = subject
		return issuer.Key.Sign(changed)
	}
	ofGitHub := token("github", "repo:octo-org/octo-repo:ref:refs/heads/main", bed.GitHubToken)
	ofGitLab := token("gitlab", "project_path:my-group/my-project:ref_type:tag:ref:v1.2", bed.GitLabToken)
	ofCluster := token("kubernetes", "system:serviceaccount:my-namespace:my-account", bed.KubernetesToken)
	i.Serve(t)

	github := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer of-the-job" || r.URL.Query().Get("audience") != i.Issuer || r.URL.Query().Get("api-version") != "2.0" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"count": len(ofGitHub), "value": ofGitHub})
	}))
	defer github.Close()
	volume := t.TempDir()
	if err := os.WriteFile(filepath.Join(volume, "proof"), []byte(ofCluster), 0o600); err != nil {
		t.Fatal(err)
	}
	for example, env := range map[string][]string{
		examples[0]: {"ACTIONS_ID_TOKEN_REQUEST_URL=" + github.URL + "/token?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=of-the-job"},
		examples[1]: {"SIGNET_PROOF=" + ofGitLab},
		examples[2]: nil,
	} {
		name, script, _ := strings.Cut(example, "|\n")
		folder := t.TempDir()
		shell := exec.CommandContext(t.Context(), "sh", "-e", "-c", strings.NewReplacer("https://id.example.com", i.Issuer, "/var/run/secrets/signet", volume).Replace(script))
		shell.Dir, shell.Env = folder, append(env, "PATH="+os.Getenv("PATH"))
		if out, err := shell.CombinedOutput(); err != nil {
			t.Errorf("%s\n%s: %v\n%s", name, script, err, out)
			continue
		}
		var answer struct {
			Token string `json:"access_token"`
			Scope string `json:"scope"`
		}
		text, err := os.ReadFile(filepath.Join(folder, "token.json"))
		if err == nil {
			err = json.Unmarshal(text, &answer)
		}
		if err != nil || answer.Token == "" || answer.Scope != "deploy:run" {
			t.Errorf("%s\nthe answer is %s, %v", name, text, err)
		}
	}
}

// workloadsOf returns the commands that make the client of the examples, and the examples.
func workloadsOf(t *testing.T) (commands string, examples []string) {
	t.Helper()
	for _, b := range partsOf(t, "docs/clients.md", read(t, "docs/clients.md")) {
		switch {
		case b.run == "workload":
			examples = append(examples, b.text)
		case b.language == "console" && strings.Contains(b.text, "client federation add"):
			commands = b.text
		}
	}
	if len(examples) != 3 {
		t.Fatalf("docs/clients.md has %d examples of workloads, want 3", len(examples))
	}
	return commands, examples
}

var issuerFlags = regexp.MustCompile(` --(foreign-issuer|jwks-uri) \S+`)

// run runs the command of the page that begins so, with another issuer unless that is "".
func run(t *testing.T, i *signettest.Instance, commands, begins, issuer string) {
	t.Helper()
	for line := range strings.Lines(commands) {
		command, is := strings.CutPrefix(strings.TrimSpace(line), "$ signet ")
		if !is || !strings.HasPrefix(command, begins) {
			continue
		}
		if issuer != "" {
			command = issuerFlags.ReplaceAllString(command, "") + " --foreign-issuer " + issuer
		}
		i.Command(t, "", nil, strings.Fields(strings.ReplaceAll(command, `"`, ""))...)
		return
	}
	t.Fatalf("docs/clients.md has no command signet %s", begins)
}
