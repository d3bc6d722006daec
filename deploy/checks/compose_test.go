package checks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// repository is the root of the clone.
const repository = "../.."

// composeFolder returns a folder with the files of deploy/compose, in which the commands of
// docs/operation.md have made the secrets and .env. Docker is not called.
func composeFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"compose.yaml", "Caddyfile"} {
		mustRun(t, exec.Command("cp", filepath.Join(repository, "deploy/compose", name), folder))
	}
	page, err := os.ReadFile(filepath.Join(repository, "docs/operation.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "<!-- run: compose -->\n```console\n")
	block, _, ends := strings.Cut(rest, "```\n")
	if !found || !ends {
		t.Fatal("docs/operation.md shows no commands for Compose")
	}
	for line := range strings.Lines(block) {
		command, is := strings.CutPrefix(strings.TrimSpace(line), "$ ")
		if !is || strings.HasPrefix(command, "docker ") {
			continue // this machine has no Docker
		}
		shell := exec.Command("bash", "-euo", "pipefail", "-c", strings.ReplaceAll(command, "sudo ", ""))
		shell.Dir = folder
		mustRun(t, shell)
	}
	return folder
}

// project reads compose.yaml as Docker Compose does. Unknown keys and wrong types fail.
func project(t *testing.T, folder string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(folder, "compose.yaml")}, cli.WithWorkingDirectory(folder), cli.WithEnvFiles(), cli.WithDotEnv)
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestCompose_IsHardened reads the file with the secrets of the documented commands, and checks
// every service.
func TestCompose_IsHardened(t *testing.T) {
	folder := composeFolder(t)
	p := project(t, folder)
	if len(p.Services) < 4 {
		t.Fatalf("the file has %d services", len(p.Services))
	}
	for name, s := range p.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Restart == "" {
			t.Errorf("%s: read_only %t, cap_drop %v, security_opt %v, restart %q", name, s.ReadOnly, s.CapDrop, s.SecurityOpt, s.Restart)
		}
		if s.Privileged || s.NetworkMode != "" || s.Pid != "" {
			t.Errorf("%s leaves its container", name)
		}
		for variable, value := range s.Environment {
			secret := strings.Contains(variable, "PASSWORD") || strings.Contains(variable, "KEY")
			if address, err := url.Parse(*value); err == nil && address.User != nil {
				_, inside := address.User.Password()
				secret = secret || inside
			}
			if secret && !strings.HasSuffix(variable, "_FILE") {
				t.Errorf("%s has the secret %s=%v in its environment", name, variable, *value)
			}
		}
	}
	for _, name := range []string{"signet-1", "signet-2"} {
		if s := p.Services[name]; s.HealthCheck == nil || s.DependsOn["postgres"].Condition != types.ServiceConditionHealthy || len(s.Ports) != 0 {
			t.Errorf("%s: healthcheck %v, depends on %v, ports %v", name, s.HealthCheck, s.DependsOn, s.Ports)
		}
	}
	for name, secret := range p.Secrets {
		state, err := os.Stat(secret.File)
		if err != nil {
			t.Errorf("the documented commands make no secret %s: %v", name, err)
		} else if state.Mode().Perm()&0o077 != 0 {
			t.Errorf("the secret %s has the mode %v", name, state.Mode())
		}
	}
	// Without .env, the file names what is missing.
	if err := os.Remove(filepath.Join(folder, ".env")); err != nil {
		t.Fatal(err)
	}
	options, err := cli.NewProjectOptions([]string{filepath.Join(folder, "compose.yaml")}, cli.WithWorkingDirectory(folder))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := options.LoadProject(t.Context()); err == nil || !strings.Contains(err.Error(), "in .env") {
		t.Errorf("without .env: %v", err)
	}
}

// TestCompose_Runs starts PostgreSQL, both nodes and Caddy with the environments, secrets,
// users and file systems of compose.yaml, each in a network of its own, and signs in through
// Caddy. Then one node is killed.
func TestCompose_Runs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("networks for the services need root")
	}
	folder := composeFolder(t)
	env := filepath.Join(folder, ".env")
	text, err := os.ReadFile(env)
	if err != nil {
		t.Fatal(err)
	}
	// Caddy has certificates of its own for this host, and asks no authority on the internet.
	if err := os.WriteFile(env, bytes.ReplaceAll(text, []byte("id.example.com"), []byte("signet.localhost")), 0o600); err != nil {
		t.Fatal(err)
	}
	n := newNetwork(t, folder, project(t, folder))
	n.startPostgres(t)
	for _, node := range []string{"signet-1", "signet-2"} {
		n.start(t, node, n.program, "serve")
		n.healthy(t, node)
	}
	n.startCaddy(t)

	// The commands of an operator run in the container of a node.
	n.exec(t, "signet-1", "correct horse battery staple", n.program, "user", "create", "--email", "ada@example.com", "--email-verified", "--password-stdin")
	n.exec(t, "signet-2", "", n.program, "client", "create", "--id", "app", "--name", "App", "--type", "spa", "--first-party", "--redirect-uri", "https://signet.localhost/", "--scope", "openid email")

	cookies := filepath.Join(folder, "cookies")
	call := func(args ...string) (string, error) {
		c := exec.Command("ip", append([]string{"netns", "exec", n.hub, "curl", "-sS", "-f", "-k", "--max-time", "20", "--resolve", "signet.localhost:443:" + n.address["caddy"],
			"-b", cookies, "-c", cookies, "-H", "Origin: https://signet.localhost"}, args...)...)
		return outputOf(c)
	}
	eventually(t, time.Minute, "Caddy answers", func() bool {
		_, err := call("https://signet.localhost/readyz")
		return err == nil
	})
	if answer, err := call("-H", "Content-Type: application/json", "-d", `{"username":"ada@example.com","password":"correct horse battery staple"}`, "https://signet.localhost/login"); err != nil {
		t.Fatalf("sign-in: %v %s", err, answer)
	}
	uses := func(when string, times int) {
		t.Helper()
		for range times {
			answer, err := call("https://signet.localhost/session")
			var session map[string]any
			if err != nil || json.Unmarshal([]byte(answer), &session) != nil || !strings.Contains(answer, "ada@example.com") {
				t.Fatalf("%s: %v %s", when, err, answer)
			}
		}
	}
	uses("both nodes run", 6)
	for _, node := range []string{"signet-1", "signet-2"} {
		if !strings.Contains(n.said[node].String(), `"route":"/session"`) {
			t.Errorf("%s has answered no request for the session", node)
		}
		if strings.Contains(n.said[node].String(), `"address":"`+n.address["caddy"]+`","request_id"`) && !strings.Contains(n.said[node].String(), `"address":"`+n.gateway+`"`) {
			t.Errorf("%s takes Caddy for the visitor", node)
		}
	}
	n.kill(t, "signet-1")
	uses("one node was killed", 10)
}

// network holds the services of a project, each in a network namespace of its own.
type network struct {
	folder, program, hub string
	gateway              string // address of this machine in the network
	project              *types.Project
	address              map[string]string
	space                map[string]string // name of the network namespace of a service
	process              map[string]*exec.Cmd
	said                 map[string]*syncBuffer
}

func newNetwork(t *testing.T, folder string, p *types.Project) *network {
	t.Helper()
	n := &network{
		folder: folder, program: filepath.Join(folder, "bin", "signet"), hub: fmt.Sprintf("sgnt%d", os.Getpid()), project: p,
		address: map[string]string{}, space: map[string]string{}, process: map[string]*exec.Cmd{}, said: map[string]*syncBuffer{},
	}
	built, err := program()
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, exec.Command("install", "-D", "-m", "755", built, n.program))
	for at := folder; at != "/" && at != os.TempDir(); at = filepath.Dir(at) { // the user of the service runs the program
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	subnet := p.Networks["default"].Ipam.Config[0].Subnet
	prefix := strings.TrimSuffix(subnet, "0/24")
	n.gateway = prefix + "1"
	ip := func(args ...string) { t.Helper(); mustRun(t, exec.Command("ip", args...)) }
	addSpace := func(name string) {
		t.Helper()
		ip("netns", "add", name)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", name).Run() })
		ip("-n", name, "link", "set", "lo", "up")
	}
	addSpace(n.hub)
	ip("-n", n.hub, "link", "add", "br0", "type", "bridge")
	ip("-n", n.hub, "address", "add", n.gateway+"/24", "dev", "br0")
	ip("-n", n.hub, "link", "set", "br0", "up")
	var hosts strings.Builder
	fmt.Fprintln(&hosts, "127.0.0.1 localhost")
	for i, name := range slices.Sorted(maps.Keys(p.Services)) {
		n.space[name], n.address[name] = fmt.Sprintf("%s-%d", n.hub, i), fmt.Sprintf("%s%d", prefix, 10+i)
		addSpace(n.space[name])
		ip("-n", n.hub, "link", "add", fmt.Sprintf("v%d", i), "type", "veth", "peer", "name", "eth0", "netns", n.space[name])
		ip("-n", n.hub, "link", "set", fmt.Sprintf("v%d", i), "master", "br0", "up")
		ip("-n", n.space[name], "address", "add", n.address[name]+"/24", "dev", "eth0")
		ip("-n", n.space[name], "link", "set", "eth0", "up")
		fmt.Fprintln(&hosts, n.address[name], name)
	}
	if err = os.WriteFile(filepath.Join(folder, "hosts"), []byte(hosts.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return n
}

// container is the script that prepares the file system of a service and runs a command in it:
// the root cannot be written to, and /run has only the secrets.
const container = `
mount --bind "$FOLDER/hosts" /etc/hosts
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/secrets
for secret in $SECRETS; do
	touch "/run/secrets/$secret"
	mount --bind "$FOLDER/secrets/$secret" "/run/secrets/$secret"
done
cd /
[[ -z $READONLY ]] || mount -o remount,bind,ro /
exec setpriv $PRIVILEGES -- env -i PATH="$FOLDER/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$@"
`

// command returns a command that runs like the process of a service.
func (n *network) command(name string, args ...string) *exec.Cmd {
	s := n.project.Services[name]
	var secrets, variables []string
	for _, secret := range s.Secrets {
		secrets = append(secrets, secret.Source)
	}
	for variable, value := range s.Environment {
		variables = append(variables, variable+"="+*value)
	}
	slices.Sort(variables)
	privileges := "--no-new-privs --inh-caps=-all --bounding-set=-all"
	for _, capability := range s.CapAdd {
		privileges += ",+" + strings.ToLower(capability)
	}
	if s.User != "" {
		user, group, _ := strings.Cut(s.User, ":")
		privileges += " --reuid=" + user + " --regid=" + group + " --clear-groups"
	}
	c := exec.Command("ip", slices.Concat([]string{"netns", "exec", n.space[name], "unshare", "--mount", "--propagation", "private", "bash", "-euo", "pipefail", "-c", container, name}, variables, args)...)
	c.Env = append(os.Environ(), "FOLDER="+n.folder, "SECRETS="+strings.Join(secrets, " "), "PRIVILEGES="+privileges, "READONLY=")
	if s.ReadOnly && s.User != "" {
		c.Env = append(c.Env, "READONLY=yes")
	}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return c
}

// start starts the process of a service until the test ends.
func (n *network) start(t *testing.T, name string, args ...string) {
	t.Helper()
	n.run(t, name, n.command(name, args...))
}

func (n *network) run(t *testing.T, name string, c *exec.Cmd) {
	t.Helper()
	said := &syncBuffer{}
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	n.process[name], n.said[name] = c, said
	t.Cleanup(func() {
		n.kill(t, name)
		if t.Failed() {
			text := said.String()
			t.Logf("%s said at last:\n%s", name, text[max(0, len(text)-3000):])
		}
	})
}

// kill ends the process of a service at once.
func (n *network) kill(t *testing.T, name string) {
	t.Helper()
	if c := n.process[name]; c != nil && c.ProcessState == nil {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		_ = c.Wait()
	}
}

// exec runs a command in the container of a service, as docker compose exec does.
func (n *network) exec(t *testing.T, name, stdin string, args ...string) {
	t.Helper()
	c := n.command(name, args...)
	c.Stdin = strings.NewReader(stdin)
	mustRun(t, c)
}

// healthy waits until the health check of a service succeeds.
func (n *network) healthy(t *testing.T, name string) {
	t.Helper()
	check := n.project.Services[name].HealthCheck
	if check.Test[0] != "CMD" {
		t.Fatalf("the health check of %s is %v", name, check.Test)
	}
	var last error
	eventually(t, time.Minute, name+" is healthy", func() bool {
		_, last = outputOf(n.command(name, check.Test[1:]...))
		return last == nil
	})
}

// startPostgres does the work of the image of PostgreSQL.
func (n *network) startPostgres(t *testing.T) {
	t.Helper()
	s := n.project.Services["postgres"]
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		t.Fatal("there is no PostgreSQL: apt-get install postgresql")
	}
	bin, data := found[len(found)-1], filepath.Join(n.folder, "postgres")
	variable := func(name string) string {
		if value := s.Environment[name]; value != nil {
			return *value
		}
		t.Fatalf("postgres has no %s", name)
		return ""
	}
	password := filepath.Join(n.folder, "password") // the image reads it as root
	mustRun(t, exec.Command("install", "-o", "postgres", "-m", "400", filepath.Join(n.folder, "secrets", filepath.Base(variable("POSTGRES_PASSWORD_FILE"))), password))
	mustRun(t, exec.Command("install", "-d", "-o", "postgres", "-m", "700", data))
	asPostgres := func(args ...string) *exec.Cmd {
		c := exec.Command("setpriv", append([]string{"--reuid=postgres", "--regid=postgres", "--clear-groups", "--"}, args...)...)
		c.Dir = "/"
		return c
	}
	mustRun(t, asPostgres(bin+"/initdb", "-D", data, "-U", variable("POSTGRES_USER"), "--pwfile="+password, "--auth=scram-sha-256", "--no-sync"))
	rules, err := os.OpenFile(filepath.Join(data, "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(rules, "host all all all scram-sha-256")
	if err := rules.Close(); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("ip", "netns", "exec", n.space["postgres"], "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--",
		bin+"/postgres", "-D", data, "-c", "listen_addresses=*", "-c", "unix_socket_directories="+data, "-c", "fsync=off")
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	n.run(t, "postgres", c)
	secret, err := os.ReadFile(password)
	if err != nil {
		t.Fatal(err)
	}
	// psql asks as the nodes will: by the network, with the password.
	eventually(t, time.Minute, "PostgreSQL answers", func() bool {
		c := exec.Command("ip", "netns", "exec", n.hub, bin+"/psql", "-h", n.address["postgres"], "-U", variable("POSTGRES_USER"), "-d", "postgres", "-c", "CREATE DATABASE "+variable("POSTGRES_DB"))
		c.Env = append(os.Environ(), "PGPASSWORD="+strings.TrimSpace(string(secret)))
		_, err := outputOf(c)
		return err == nil
	})
}

// startCaddy runs Caddy with the documented file. Its volumes are folders.
func (n *network) startCaddy(t *testing.T) {
	t.Helper()
	for _, volume := range []string{"caddy-data", "caddy-config"} {
		if err := os.MkdirAll(filepath.Join(n.folder, volume), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	n.start(t, "caddy", "HOME="+n.folder, "XDG_DATA_HOME="+filepath.Join(n.folder, "caddy-data"), "XDG_CONFIG_HOME="+filepath.Join(n.folder, "caddy-config"),
		"caddy", "run", "--config", filepath.Join(n.folder, "Caddyfile"), "--adapter", "caddyfile")
}
