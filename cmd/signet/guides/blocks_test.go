package guides_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// elsewhere names the tests that run a block with the comment <!-- run: NAME -->: the file,
// and the function in it.
var elsewhere = map[string][2]string{
	"first-party app": {"cmd/signet/guides/firstparty_test.go", "TestFirstPartyApps_Documents"},
	"example":         {"cmd/signet/example/exampledev_test.go", "TestExample_UnderDevelopment"},
	"first sign-in":   {"cmd/signet/guides/firstsignin_test.go", "TestReadme_FirstSignIn"},
	"workload":        {"cmd/signet/guides/workload_test.go", "TestClients_WorkloadExamples"},
	"stronger":        {"cmd/signet/parties/acr_test.go", "TestRelyingParty_ApacheAsksForACR"},
	"unix socket":     {"cmd/signet/proxy/unixsocket_test.go", "TestUnixSocket_SignInThroughNginx"},
	"nginx, socket":   {"cmd/signet/proxy/unixsocket_test.go", "TestUnixSocket_SignInThroughNginx"},
	"webhook":         {"provider/webhook/signature_test.go", "TestSign_IsVerifiedAsDocumented"},
	"proxy":           {"cmd/signet/node/behindproxy_test.go", "TestOperation_BehindAProxy"},
	"nginx":           {"cmd/signet/proxy/nginx_test.go", "startNginx"},
	"caddy":           {"cmd/signet/proxy/caddy_test.go", "startCaddy"},
	"traefik":         {"cmd/signet/proxy/traefik_test.go", "startTraefik"},
	"package":         {"deploy/release/deb_test.go", "TestDeb_InstalledService"},
	"package port":    {"deploy/release/deb_test.go", "TestDeb_InstalledService"},
	"package secret":  {"deploy/release/deb_test.go", "TestDeb_InstalledService"},
	"Kubernetes":      {"deploy/checks/guide_test.go", "TestKubernetes_Guide"},                            // by make dist-test
	"Kubernetes API":  {"cmd/signet/parties/kubernetes_test.go", "TestKubernetes_APIServerAcceptsTokens"}, // by make soak
	"sums":            {"deploy/release/sums_test.go", "TestSums_SignatureIsCheckedAsDocumented"},
	"image":           {"deploy/release/image_test.go", "TestImage_CommandsAreThoseOfTheImages"},
	"compose":         {"deploy/checks/compose_test.go", "TestCompose_Runs"},
}

// TestPages_EveryBlockRuns runs the code blocks of each page, from top to bottom. A block
// without a runner fails.
func TestPages_EveryBlockRuns(t *testing.T) {
	for _, page := range pages(t) {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, page)
			for _, b := range partsOf(t, page, read(t, page)) {
				s.runPart(t, b)
			}
			s.keepsSecrets(t)
		})
	}
}

// runners are the languages of the blocks that can be tested.
var runners = []string{"console", "yaml", "ts", "tsx", "json", "mermaid"}

// unrun explains why nothing tests a part of a page; "" if something does.
func unrun(t *testing.T, b part) string {
	t.Helper()
	switch runner, known := elsewhere[b.run]; {
	case b.run == "by hand" && b.language == "rust" && strings.Contains(read(t, "examples/react-app/README.md"), b.text):
		return "" // the one exception; the page says that no test runs it
	case b.run != "" && !known:
		return "no test runs " + b.run
	case b.run != "" && !strings.Contains(read(t, runner[0]), "func "+runner[1]+"("):
		return runner[0] + " has no " + runner[1]
	case b.run == "" && b.fenced && b.language == "":
		return "the block names no language"
	case b.run == "" && b.fenced && !slices.Contains(runners, b.language):
		return "nothing runs a block in " + b.language + ": see doc.go"
	}
	return ""
}

// TestPages_ABlockWithoutARunnerFails checks that the blocks of a page cannot escape the tests.
func TestPages_ABlockWithoutARunnerFails(t *testing.T) {
	for page, want := range map[string]string{
		"```console\n$ true\n```":                           "",
		"```rust\nfn main() {}\n```":                        "nothing runs a block in rust: see doc.go",
		"1. A step\n\n   ```sh\n   true\n   ```":            "nothing runs a block in sh: see doc.go",
		"```\ntrue\n```":                                    "the block names no language",
		"<!-- run: by hand -->\n```console\n$ true\n```":    "no test runs by hand",
		"<!-- run: nobody -->\n```console\n$ true\n```":     "no test runs nobody",
		"<!-- run: first sign-in -->\n```console\n$ x\n```": "",
	} {
		parts := partsOf(t, "a page", page)
		if len(parts) != 1 {
			t.Errorf("%q has %d parts", page, len(parts))
		} else if got := unrun(t, parts[0]); got != want {
			t.Errorf("%q: got %q, want %q", page, got, want)
		}
	}
}

func (s *session) runPart(t *testing.T, b part) {
	t.Helper()
	if reason := unrun(t, b); reason != "" {
		t.Errorf("%s:%d: %s", s.page, b.line, reason)
		return
	}
	switch {
	case b.run != "":
	case b.language == "":
		s.setUp(t, b)
	case b.language == "console":
		s.console(t, b)
	case b.language == "yaml":
		s.settings(t, b)
	case b.language == "ts", b.language == "tsx":
		compile(t, s.page, b)
	case b.language == "json":
		if !json.Valid([]byte(b.text)) {
			t.Errorf("%s:%d: the document is not well formed", s.page, b.line)
		}
	}
}

// compile has tsc judge a program with the packages of the example.
func compile(t *testing.T, page string, b part) {
	t.Helper()
	const app = root + "/examples/react-app"
	folder, err := os.MkdirTemp(app+"/node_modules", ".guides-") // where the packages are found
	if err != nil {
		t.Fatalf("the npm packages of the example are missing, make test installs them: %v", err)
	}
	defer os.RemoveAll(folder)
	config := `{"extends": "../../tsconfig.json", "compilerOptions": {"noEmit": true}, "include": ["block.*"]}`
	for name, content := range map[string]string{"block." + b.language: b.text, "tsconfig.json": config} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tsc := exec.CommandContext(t.Context(), "node", "../typescript/bin/tsc", "-p", ".")
	tsc.Dir = folder
	if out, err := tsc.CombinedOutput(); err != nil {
		t.Errorf("%s:%d: %v\n%s", page, b.line, err, out)
	}
}

var (
	target = regexp.MustCompile(`^make ([a-z-]+)$`)
	goTool = regexp.MustCompile(`^go (?:run|build|install|test|vet) (?:-tags pkcs11 )?(?:-race )?(\./[^ ]*)((?: .*)?)$`)
	only   = regexp.MustCompile(`-run '?\^?([A-Za-z_]+)`)
	inline = regexp.MustCompile("`((?:make|go) [^`\n]+)`")
)

// onlyExists reports whether a command is one that takes too long for a test, or that runs
// this test itself. For such a command it checks that the target, the package and the test
// exist, and gives the reason if one does not.
func onlyExists(t *testing.T, command string) (is bool, reason string) {
	t.Helper()
	if found := target.FindStringSubmatch(command); found != nil {
		if !strings.Contains(read(t, "Makefile"), "\n"+found[1]+":") {
			reason = "the Makefile has no such target"
		}
		return true, reason
	}
	found := goTool.FindStringSubmatch(command)
	if found == nil {
		return false, ""
	}
	folder := strings.TrimSuffix(strings.TrimSuffix(found[1], "..."), "/")
	if _, err := os.Stat(filepath.Join(root, folder)); err != nil {
		return true, "there is no such package"
	}
	name := only.FindStringSubmatch(found[2])
	if name == nil {
		return true, ""
	}
	tests, _ := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	for _, file := range tests {
		if text, err := os.ReadFile(file); err == nil && regexp.MustCompile(`(?m)^func \w*`+name[1]+`\w*\(`).Match(text) {
			return true, ""
		}
	}
	return true, "there is no such test"
}

// TestPages_CommandsWithinSentencesExist checks the commands of make and go that a page
// shows within a sentence. The commands of signet are checked in cmd/signet/program.
func TestPages_CommandsWithinSentencesExist(t *testing.T) {
	seen := 0
	for _, page := range pages(t) {
		for _, found := range inline.FindAllStringSubmatch(read(t, page), -1) {
			if is, reason := onlyExists(t, found[1]); is {
				seen++
				if reason != "" {
					t.Errorf("%s shows %s: %s", page, found[1], reason)
				}
			}
		}
	}
	if seen < 4 {
		t.Errorf("only %d commands were found", seen)
	}
}

// TestOnlyExists_FindsWrongCommands checks the check.
func TestOnlyExists_FindsWrongCommands(t *testing.T) {
	for command, want := range map[string]string{
		"make test":                              "",
		"make tea":                               "the Makefile has no such target",
		"go test -race ./provider/...":           "",
		"go build -tags pkcs11 ./cmd/signet":     "",
		"go test ./storage/engines":              "there is no such package",
		"go test ./cmd/signet/guides -run Links": "",
		"go test ./cmd/signet/guides -run Tea":   "there is no such test",
	} {
		if is, got := onlyExists(t, command); !is || got != want {
			t.Errorf("%s: got %v, %q, want %q", command, is, got, want)
		}
	}
}
