package signettest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"signet/storage/storagetest"
)

// Background starts a command in its own process, without waiting for it.
func (c *Cluster) Background(t *testing.T, args ...string) (*exec.Cmd, *SyncBuffer) {
	t.Helper()
	talk := &SyncBuffer{}
	command := exec.Command(c.program(), args...)
	command.Env, command.Stderr = c.Env, talk
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return command, talk
}

// BackgroundWithInput is Background for a command that reads standard input from the test.
func (c *Cluster) BackgroundWithInput(t *testing.T, args ...string) (*exec.Cmd, *SyncBuffer, io.WriteCloser) {
	t.Helper()
	talk := &SyncBuffer{}
	command := exec.Command(c.program(), args...)
	command.Env, command.Stderr = c.Env, talk
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	input, err := command.StdinPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return command, talk, input
}

// Active asks a process whether a token is active (RFC 7662).
func (c *Cluster) Active(t *testing.T, at, token string) bool {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, at+"/introspect", strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(c.Client.ID, c.Client.Secret)
	response, err := Crowd.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Active bool }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("introspect: %s, %v", response.Status, err)
	}
	return answer.Active
}

// MustRedeem redeems a code, and fails the test if the code is refused.
func (c *Cluster) MustRedeem(t *testing.T, at, code string) Tokens {
	t.Helper()
	status, got, err := c.Redeem(at, code)
	if err != nil || status != http.StatusOK {
		t.Fatalf("redeem: status %d, %s, %v", status, got.Error, err)
	}
	return got
}

// Cluster is an installation that several processes serve. All of them have the issuer of
// the first process.
type Cluster struct {
	*Instance
	Client  CreatedClient
	Env     []string
	Program string // file of the program that is started next; "" is the program of the test
}

func (c *Cluster) program() string { return cmp.Or(c.Program, "signet") }

// NewCluster creates an installation with one client on the database; "" is SQLite in a new
// folder. It starts no process.
func NewCluster(t *testing.T, database string) *Cluster {
	t.Helper()
	c := &Cluster{Instance: NewInstance(t)}
	if database != "" {
		c.Instance.Env = append(c.Instance.Env, "SIGNET_DATABASE="+database)
		c.Command(t, c.Password, nil, "user", "create", "--email", c.Email, "--email-verified", "--password-stdin", "--json")
	}
	c.Env = ownEnvironment(c.Instance.Env)
	c.Client = c.CreateClient(t, clusterClient...)
	return c
}

// clusterClient holds the flags of a cluster's client. RS256 signatures would take most of the time.
var clusterClient = []string{"--type", "web", "--redirect-uri", Nowhere, "--skip-consent", "--id-token-signed-response-alg", "ES256"}

// ownEnvironment returns the environment of a process with these settings.
func ownEnvironment(settings []string) []string {
	others := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SIGNET_") }) // variables of the tests, which are no settings
	return append(others, settings...)
}

// NewClusterOf does the same with another program, such as an earlier release: that program
// creates the database, the user and the client. No process listens at the issuer.
func NewClusterOf(t *testing.T, program, database string) *Cluster {
	t.Helper()
	i := describeInstance(t)
	if database != "" {
		i.Env = append(i.Env, "SIGNET_DATABASE="+database)
	}
	c := &Cluster{Instance: i, Env: ownEnvironment(i.Env), Program: program}
	c.Run(t, "", nil, "migrate")
	c.Run(t, c.Password, nil, "user", "create", "--email", c.Email, "--email-verified", "--password-stdin", "--json")
	c.Run(t, "", &c.Client, append([]string{"client", "create", "--name", "A relying party", "--json"}, clusterClient...)...)
	return c
}

// Run runs a command of c.Program in its own process. The command must succeed. Run reads its
// output as JSON into out, unless out is nil.
func (c *Cluster) Run(t *testing.T, stdin string, out any, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), c.program(), args...)
	command.Env, command.Stdin, command.Stdout, command.Stderr = c.Env, strings.NewReader(stdin), &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("%s %s: %v: %s", c.program(), strings.Join(args, " "), err, stderr.String())
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
		t.Fatalf("%s %s printed %q: %v", c.program(), strings.Join(args, " "), stdout.String(), err)
	}
}

// Process is one `signet serve` in its own operating system process.
type Process struct {
	Command *exec.Cmd
	Address string // http://host:port
	Talk    *SyncBuffer
}

// Start runs a process and waits until it answers. The first process listens at the address
// of the issuer.
func (c *Cluster) Start(t *testing.T, first bool) *Process {
	t.Helper()
	return c.start(t, first, nil)
}

// StartWith runs the first process with its log to the file.
func (c *Cluster) StartWith(t *testing.T, log *os.File) *Process {
	t.Helper()
	return c.start(t, true, log)
}

func (c *Cluster) start(t *testing.T, first bool, log *os.File) *Process {
	t.Helper()
	p := &Process{Address: c.Issuer, Talk: &SyncBuffer{}}
	if !first {
		p.Address = fmt.Sprintf("http://127.0.0.1:%d", FreePort(t))
	}
	p.Command = exec.Command(c.program(), "serve", "--listen", strings.TrimPrefix(p.Address, "http://"))
	p.Command.Env, p.Command.Stderr = c.Env, p.Talk
	if log != nil {
		p.Command.Stderr = log
	}
	p.Command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.Command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			said := p.Talk.String()
			t.Logf("%s said at last:\n%s", p.Address, said[max(0, len(said)-4000):])
		}
	})
	Eventually(t, 30*time.Second, p.Address+" answers", func() bool {
		response, err := http.Get(p.Address + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return p
}

// Kill ends the process at once, as a power cut does.
func (p *Process) Kill() {
	if p.Command.ProcessState == nil {
		_ = p.Command.Process.Kill()
		_ = p.Command.Wait()
	}
}

// Stop ends the process as a service manager does, and returns an error if its exit code is
// not 0.
func (p *Process) Stop() error {
	if err := p.Command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.Command.Wait()
}

// Tokens holds the tokens of one sign-in.
type Tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Error   string `json:"error"`

	Description string `json:"error_description"`
}

// Codes signs in once and returns n codes of that session.
func (c *Cluster) Codes(t *testing.T, n int) []string {
	t.Helper()
	b := NewFormBrowser(t)
	var list []string
	for len(list) < n {
		b.Left = nil
		b.Open(c.Issuer + "/authorize?" + url.Values{
			"client_id": {c.Client.ID}, "redirect_uri": {Nowhere}, "response_type": {"code"}, "scope": {"openid offline_access"},
			"code_challenge": {oauth2.S256ChallengeFromVerifier(CodeVerifier)}, "code_challenge_method": {"S256"},
		}.Encode())
		if b.Left == nil {
			b.Send("login", "", map[string]string{"username": c.Email, "password": c.Password})
		}
		list = append(list, b.Left.Query().Get("code"))
	}
	return list
}

// Redeem redeems a code at a process, as [Cluster.Token] does.
func (c *Cluster) Redeem(at, code string) (int, Tokens, error) {
	return c.Token(at, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {Nowhere}, "code_verifier": {CodeVerifier}})
}

// Refresh uses a refresh token at a process, as [Cluster.Token] does.
func (c *Cluster) Refresh(at, token string) (int, Tokens, error) {
	return c.Token(at, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// Crowd is an HTTP client for many requests at the same time.
var Crowd = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 200}}

// Token posts to the token endpoint of a process. An error means that no answer came.
func (c *Cluster) Token(at string, form url.Values) (status int, got Tokens, err error) {
	request, err := http.NewRequest(http.MethodPost, at+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return 0, got, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(c.Client.ID, c.Client.Secret)
	response, err := Crowd.Do(request)
	if err != nil {
		return 0, got, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(body)).Decode(&got)
	}
	return response.StatusCode, got, err
}

// OverProcesses runs f with two processes on one SQLite file and, at the same time, with two
// processes on one PostgreSQL database. The processes have these settings in their environment.
func OverProcesses(t *testing.T, f func(t *testing.T, c *Cluster, at []string), settings ...string) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			c := NewCluster(t, database)
			c.Env = append(c.Env, settings...)
			f(t, c, []string{c.Start(t, true).Address, c.Start(t, false).Address})
		})
	}
}
