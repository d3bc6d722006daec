package program_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/program"
	"signet/cmd/signet/signettest"
)

// settingsCase is one set of settings for which config check and serve must agree.
type settingsCase struct {
	name       string
	file       string            // the settings file
	env        map[string]string // variables in addition to those of every case
	arrange    func(t *testing.T, dir string)
	connectors []string // connectors whose buttons a started server must show
}

// The cases are values of all settings, connectors with missing or odd settings, and files in every
// state. If check accepts the settings, serve must start and work. If check refuses them, serve
// must refuse them in the same words. Both must print the same warnings.
func TestConfigCheck_AgreesWithServe(t *testing.T) {
	t.Parallel()
	template := newCaseTemplate(t)
	cases := slices.Concat(valueCases(), connectorCases(), fileCases())
	accepted, refused := 0, 0
	results := make(chan bool, len(cases))
	t.Run("all", func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				results <- template.compare(t, c)
			})
		}
	})
	close(results)
	for ok := range results {
		if ok {
			accepted++
		} else {
			refused++
		}
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
	if want := signettest.Soaking(50, 100); accepted < want || refused < want {
		t.Errorf("%d accepted and %d refused, want at least %d of each", accepted, refused, want)
	}
}

// caseTemplate is a data directory with keys and some clients. Each case gets a copy, because
// creating RSA keys for each would be slow.
type caseTemplate struct{ files map[string][]byte }

func newCaseTemplate(t *testing.T) caseTemplate {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	served := runServe(t, []string{"SIGNET_ISSUER=https://id.example.com", "SIGNET_LISTEN=127.0.0.1:0", "SIGNET_DATA_DIR=" + dir}, "")
	if served.address == "" {
		t.Fatalf("the first start: %s", served.output)
	}
	served.stop()
	for _, client := range [][]string{
		{"create", "--id", "app", "--first-party"}, {"create", "--id", "plain"}, {"create", "--id", "off", "--first-party"}, {"disable", "off"},
	} {
		if client[0] == "create" {
			client = append(client, "--name", "An app", "--type", "spa", "--redirect-uri", "https://app.example.com/")
		}
		var output bytes.Buffer
		env := []string{"SIGNET_ISSUER=https://id.example.com", "SIGNET_DATA_DIR=" + dir}
		if code := program.Run(t.Context(), signettest.Surroundings(env, "", io.Discard, &output), append([]string{"client"}, client...)); code != exit.OK {
			t.Fatalf("client %q: %s", client, output.String())
		}
	}
	h := caseTemplate{map[string][]byte{}}
	for _, name := range []string{"signet.db", "master.key"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		h.files[name] = content
	}
	return h
}

// install creates the installation of a case, and returns its environment and its settings file.
func (h caseTemplate) install(t *testing.T, c settingsCase, dir string) (env []string, file string) {
	t.Helper()
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range h.files {
		if err := os.WriteFile(filepath.Join(data, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file = filepath.Join(dir, "signet.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(c.file, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	if c.arrange != nil {
		c.arrange(t, dir)
	}
	settings := map[string]string{"SIGNET_LISTEN": "127.0.0.1:0"}
	if !strings.Contains(c.file, "issuer: ") || strings.Contains(c.file, "  issuer: ") {
		settings["SIGNET_ISSUER"] = "https://id.example.com"
	}
	if !strings.Contains(c.file, "data_dir:") {
		settings["SIGNET_DATA_DIR"] = data
	}
	if strings.Contains(c.file, "listen:") {
		delete(settings, "SIGNET_LISTEN")
	}
	if strings.HasPrefix(c.name, "log.level=") { // the level may suppress the line that contains the port
		settings["SIGNET_LISTEN"] = fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t))
	}
	maps.Copy(settings, c.env)
	for name, value := range settings {
		env = append(env, name+"="+strings.ReplaceAll(value, "DIR", dir))
	}
	return env, file
}

// compare checks that check and serve agree, and reports whether they accept the settings.
func (h caseTemplate) compare(t *testing.T, c settingsCase) (accepted bool) {
	t.Helper()
	dir := t.TempDir()
	env, file := h.install(t, c, dir)
	before := treeOf(t, dir)
	code, output := runCheck(t, env, file)
	if after := treeOf(t, dir); after != before {
		t.Errorf("check created or changed a file:\n%s\nbefore:\n%s", after, before)
	}
	served := runServe(t, env, file)
	defer served.stop()
	switch {
	case strings.Contains(c.env["SIGNET_DATABASE"]+c.file, "postgres") && code == exit.OK:
		if served.code != exit.Unreachable {
			t.Errorf("check accepts a PostgreSQL that does not exist; serve ends with exit code %d, want 7: %s", served.code, served.output)
		}
	case code == exit.OK:
		if served.address == "" {
			t.Fatalf("check accepts the settings, but serve ends with exit code %d: %s", served.code, served.output)
		}
		served.wantWarnings(t, output)
		served.wantWorking(t, c.connectors)
	case code != exit.Config:
		t.Errorf("check ends with exit code %d: %s", code, output)
	case served.code != exit.Config || refusalIn(served.output) != refusalIn(output):
		t.Errorf("check refuses the settings with\n%s\nbut serve (%q, exit code %d) prints\n%s", output, served.address, served.code, served.output)
	}
	return code == exit.OK
}

// treeOf returns the names and contents of all files in a folder.
func treeOf(t *testing.T, dir string) string {
	t.Helper()
	var tree strings.Builder
	err := filepath.Walk(dir, func(path string, state os.FileInfo, err error) error {
		if err == nil && !strings.HasSuffix(path, "-shm") && !strings.HasSuffix(path, "-wal") {
			fmt.Fprintln(&tree, path, state.Mode(), state.Size())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree.String()
}

// refusalIn returns the output without the warnings.
func refusalIn(output string) string {
	_, refusal, _ := strings.Cut(output, "signet: the configuration has")
	return refusal
}

func runCheck(t *testing.T, env []string, file string) (code int, output string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = program.Run(t.Context(), signettest.Surroundings(env, "", &stdout, &stderr), []string{"config", "check", "--config", file})
	return code, stderr.String()
}

// servedCase is a server that runs or has ended.
type servedCase struct {
	address string // host:port; "" if the server has ended
	code    int
	output  string
	stop    func()
	secure  bool
}

// runServe runs serve until it listens or ends.
func runServe(t *testing.T, env []string, file string) servedCase {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var talk signettest.SyncBuffer
	args := []string{"serve"}
	if file != "" {
		args = append(args, "--config", file)
	}
	ended := make(chan int, 1)
	go func() { ended <- program.Run(ctx, signettest.Surroundings(env, "", io.Discard, &talk), args) }()
	for {
		address := listeningAt(talk.String())
		if address == "" {
			address = answeringAt(env)
		}
		if address != "" {
			return servedCase{address: address, output: talk.String(), stop: func() {
				cancel()
				if code := <-ended; code != exit.OK {
					t.Errorf("serve ends with exit code %d: %s", code, talk.String())
				}
			}, secure: strings.Contains(strings.Join(env, " "), "TLS")}
		}
		select {
		case code := <-ended:
			cancel()
			return servedCase{code: code, output: talk.String(), stop: func() {}}
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// answeringAt returns the address of the settings as soon as a server answers there.
func answeringAt(env []string) string {
	for _, setting := range env {
		address, is := strings.CutPrefix(setting, "SIGNET_LISTEN=127.0.0.1:")
		if is && address != "0" {
			if answer, err := http.Get("http://127.0.0.1:" + address + "/readyz"); err == nil {
				answer.Body.Close()
				return "127.0.0.1:" + address
			}
		}
	}
	return ""
}

// listeningAt returns the address that a server logs when it listens; "" if it did not.
func listeningAt(output string) string {
	for line := range strings.Lines(output) {
		var logged struct{ Msg, Address string }
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &logged) == nil && logged.Msg == "listening" {
			return logged.Address
		}
	}
	return ""
}

// wantWarnings checks that the log has the same warnings as the output of check.
func (s servedCase) wantWarnings(t *testing.T, checked string) {
	t.Helper()
	var output, logged []string
	for line := range strings.Lines(checked) {
		output = append(output, strings.TrimPrefix(strings.TrimSpace(line), "signet: "))
	}
	for line := range strings.Lines(s.output) {
		var entry struct{ Level, Msg string }
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &entry) == nil && entry.Level == "WARN" && !strings.Contains(entry.Msg, "C compiler") {
			logged = append(logged, entry.Msg)
		}
	}
	if !slices.Equal(output, logged) {
		t.Errorf("check warns %q, but serve warns %q", output, logged)
	}
}

// wantWorking checks the discovery document and the sign-in page with its buttons.
func (s servedCase) wantWorking(t *testing.T, connectors []string) {
	t.Helper()
	var document struct{ Issuer string }
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	started := struct{ Issuer string }{"https://id.example.com"}
	for line := range strings.Lines(s.output) {
		if strings.Contains(line, `"msg":"listening"`) {
			_ = json.Unmarshal([]byte(line), &started)
		}
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(started.Issuer, "https://"), "http://"), "/")
	base := "http://" + s.address
	if s.secure {
		base = "https://" + s.address
	}
	if path != "" {
		path = "/" + path
	}
	get := func(path string, cookies []*http.Cookie) (*http.Response, string) {
		t.Helper()
		return asBrowser(t, client, base+path, cookies)
	}
	answer, body := get(path+"/.well-known/openid-configuration", nil)
	if err := json.Unmarshal([]byte(body), &document); err != nil || document.Issuer != started.Issuer {
		t.Errorf("discovery: %s, %s", answer.Status, body)
	}
	var cookies []*http.Cookie
	next := path + "/account"
	for range 5 {
		answer, body = get(next, cookies)
		cookies = append(cookies, answer.Cookies()...)
		if answer.StatusCode != http.StatusSeeOther {
			break
		}
		next = strings.TrimPrefix(answer.Header.Get("Location"), strings.TrimSuffix(started.Issuer, path))
	}
	if answer.StatusCode != http.StatusOK || !strings.Contains(body, `id="login"`) {
		t.Fatalf("the sign-in page: %s at %s\n%s", answer.Status, next, body)
	}
	for _, id := range connectors {
		if !strings.Contains(body, "/login/"+id+`"`) {
			t.Errorf("the sign-in page has no button of the connector %s", id)
		}
	}
}

// asBrowser requests a page as a browser does, and returns the answer and its body.
func asBrowser(t *testing.T, client *http.Client, url string, cookies []*http.Cookie) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html")
	for _, cookie := range cookies {
		request.AddCookie(cookie)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// valuesOf holds valid, odd and wrong values of settings, by unit.
var valuesOf = map[string][]string{
	"URL":                          {"https://id.example.com", "https://id.example.com/auth", "http://localhost:8080", "http://id.example.com", "https://id.example.com/", "ftp://x", "x y", "postgres://u@127.0.0.1:1/x", "postgres://u@127.0.0.1:1/x?sslmode=odd", "postgres://u@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=/no/such/file", "mysql://db/x", "http://proxy.example.com:3128"},
	"host:port":                    {"127.0.0.1:0", ":0", "localhost:0", "[::1]:0", "*:0", "192.0.2.1:0", "nobody.invalid:0", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:080", "a/b:0", "256.1.1.1:0"},
	"path":                         {"DIR/data", "DIR/new", "DIR/new/deep", "DIR/signet.yaml", "DIR/signet.yaml/below", "DIR/none", "/dev/null/x"},
	"32 bytes, base64":             {"q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=", "c2hvcnQ=", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "not base64!"},
	"name":                         {"signet", "a-b_C9", "", "with blank", strings.Repeat("x", 33)},
	"domain":                       {"example.com", "id.example.com", "other.example", "com", "192.0.2.1", "Example.com", ".example.com"},
	"client id":                    {"app", "nobody", "plain", "off", " "},
	"origins":                      {"https://app.example.com", "https://app.example.com, http://localhost:5173", "https://other.example", "http://app.example.com", "https://app.example.com/", "app.example.com", "https://APP.example.com"},
	"text without spaces":          {"https://api.example.com", "api", "https://id.example.com", "a b", strings.Repeat("x", 256)},
	"addresses or networks":        {"10.0.0.0/8", "::1, 192.0.2.7", "0.0.0.0/0", "10.0.0.0/33", "proxy.example.com", "fe80::1%eth0", "::ffff:0.0.0.0/96"},
	"duration":                     {"1s", "60s", "15m", "3h", "1d", "30d", "400d", "0s", "-1m", "15", "1w", "1.5h"},
	"debug, info, warn or error":   {"debug", "info", "error", "loud"},
	"characters":                   {"8", "15", "64", "7", "65", "many"},
	"MiB":                          {"19", "256", "18", "257", "x"},
	"passes":                       {"2", "16", "1", "17"},
	"threads":                      {"1", "16", "0", "17"},
	"wrong passwords":              {"1", "1000000", "0", "-1", "1000001"},
	"closed or connectors":         {"closed", "connectors", "open", "Closed"},
	"true or false":                {"true", "false", "yes", "1"},
	"algorithm names":              {"ES256, RS256", "RS256, ES256", "ES256", "ES256, RS256, HS256", "ES256, RS256, ES256", "none"},
	"label":                        {"signet", ""},
	"text":                         {"1234", ""},
	"all, none or algorithm names": {"all", "none", "ES256", "PS256", "", "HS256"},
}

// valueCases returns cases for each setting with each value of its unit, alternately in the file and
// in its variable. Outside make soak, each value of a unit is given to about two of its settings.
func valueCases() []settingsCase {
	var cases []settingsCase
	turn := 0
	keys := map[string][]string{} // by unit
	for key, unit := range config.Units() {
		keys[unit] = append(keys[unit], key)
	}
	for key, unit := range config.Units() {
		values := valuesOf[unit]
		if len(values) == 0 {
			cases = append(cases, settingsCase{name: key + " of a unit without values: " + unit, file: "signet: nonsense"})
		}
		if key == "database" {
			values = append([]string{""}, values...)
		}
		for i, value := range values {
			each := min(max(1, len(keys[unit])/2), len(values))
			if !signettest.InSoak() && (i+slices.Index(keys[unit], key))%each != 0 {
				continue
			}
			turn++
			c := settingsCase{name: fmt.Sprintf("%s=%.30s", key, value)}
			if variable := "SIGNET_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_")); turn%3 == 0 {
				c.env = map[string]string{variable: value}
			} else {
				c.file = yamlSetting(key, value)
			}
			cases = append(cases, c)
		}
	}
	return cases
}

// yamlSetting returns a setting as YAML with its sections.
func yamlSetting(key, value string) string {
	var file strings.Builder
	parts := strings.Split(key, ".")
	for i, part := range parts {
		file.WriteString(strings.Repeat("  ", i) + part + ":")
		if i < len(parts)-1 {
			file.WriteString("\n")
		}
	}
	return file.String() + fmt.Sprintf(" %q\n", value)
}
