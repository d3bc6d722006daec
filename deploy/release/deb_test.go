package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// debPackages builds the package of this machine in two versions.
func debPackages(t *testing.T) (first, second string) {
	t.Helper()
	r := built(t, "deb")
	name := func(r *release) string {
		return filepath.Join(r.out, "signet_"+r.version+"_"+runtime.GOARCH+".deb")
	}
	next := &release{ // the package has another version; the program stays the same
		version: "99.0.0", commit: r.commit, date: r.date, root: r.root, source: r.source, work: t.TempDir(), out: t.TempDir(), talk: r.talk,
		programs: r.programs, listed: r.listed,
	}
	if err := next.deb(t.Context()); err != nil {
		t.Fatal(err)
	}
	return name(r), name(next)
}

// TestDeb_InstalledService installs the package into a Debian that systemd has booted, runs the
// service under its unit, upgrades, removes and purges it.
func TestDeb_InstalledService(t *testing.T) {
	first, second := debPackages(t)
	t.Run("contents", func(t *testing.T) { checkContents(t, first) })
	t.Run("lintian", func(t *testing.T) { checkLintian(t, first) })
	root := debianRoot(t)
	for name, file := range map[string]string{"first.deb": first, "second.deb": second} {
		must(t, exec.Command("cp", file, filepath.Join(root, "var", name)))
	}
	m := boot(t, root)

	// Installed, and neither enabled nor started: there is no issuer.
	said := m.run(t, "dpkg", "-i", "/var/first.deb")
	if !strings.Contains(said, "/etc/signet/signet.yaml") || !strings.Contains(said, "systemctl enable --now signet") {
		t.Errorf("the installation does not say what to do next: %s", said)
	}
	if state, _ := m.try("systemctl", "is-enabled", "signet.service"); strings.TrimSpace(state) != "disabled" {
		t.Errorf("after the installation the service is %s", state)
	}
	if got := m.run(t, "stat", "-c", "%A %U %G", "/etc/signet", "/etc/signet/signet.yaml", "/var/lib/signet"); got != "drwxr-x--- root signet\n-rw-r----- root signet\ndrwx------ signet signet\n" {
		t.Errorf("modes and owners are\n%s", got)
	}

	// A service without an issuer ends, says why, and does not try again.
	if _, err := m.try("systemctl", "start", "signet.service"); err == nil {
		t.Error("a service without an issuer started")
	}
	if got := m.property(t, "ExecMainStatus") + m.property(t, "NRestarts") + m.property(t, "ActiveState"); got != "30failed" || !strings.Contains(m.journal(), "issuer") {
		t.Errorf("without an issuer: status, restarts and state are %s\n%s", got, m.journal())
	}

	// Commands of root before the first start leave nothing that the service cannot open.
	settings := "issuer: https://id.example.com\nlisten: 127.0.0.1:8080\ndata_dir: /var/lib/signet\n# mine\n"
	m.run(t, "sh", "-c", "cat > /etc/signet/signet.yaml <<'X'\n"+settings+"X")
	m.run(t, "signet", "migrate")
	followed := 0
	for _, command := range documented(t, "package") {
		if strings.HasPrefix(command, "apt install ") || strings.HasPrefix(command, "sudoedit ") {
			continue // done above, since this small Debian has neither
		}
		if strings.HasPrefix(command, "systemctl disable ") {
			break // the socket comes later
		}
		m.run(t, strings.Fields(command)...)
		followed++
	}
	if followed < 3 {
		t.Errorf("docs/operation.md shows %d commands", followed)
	}
	pid := m.mainPID(t, "")
	m.run(t, "sh", "-c", "echo correct horse battery staple | signet user create --email ada@example.com --email-verified --admin --password-stdin")
	created := m.run(t, "runuser", "-u", "signet", "--", "signet", "client", "create", "--type", "service", "--name", "Reports", "--json")
	var client struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(created), &client); err != nil {
		t.Fatal(err)
	}
	serves := func(when string) {
		t.Helper()
		if out := m.run(t, "signet", "health"); out != "ok\n" {
			t.Errorf("%s: signet health prints %s", when, out)
		}
		answer, err := m.curl("-f", "-H", "Host: id.example.com", "-u", client.ClientID+":"+client.ClientSecret, "-d", "grant_type=client_credentials", "http://127.0.0.1:8080/token")
		if err != nil || !strings.Contains(answer, "access_token") {
			t.Errorf("%s: no token: %s %v\n%s", when, answer, err, m.journal())
		}
		if owners := m.run(t, "find", "/var/lib/signet", "!", "-user", "signet"); owners != "" {
			t.Errorf("%s: these files do not belong to signet:\n%s", when, owners)
		}
	}
	serves("after the start")
	if log := m.journal(); !strings.Contains(log, `"rsa":"OpenSSL`) {
		t.Errorf("libcrypto is not at work in the sandbox:\n%s", log)
	}
	checkSandbox(t, m, pid)

	// A reload keeps the process; a crash and a hanging process are replaced.
	m.run(t, "systemctl", "reload", "signet.service")
	if got := m.mainPID(t, ""); got != pid {
		t.Errorf("a reload replaced the process")
	}
	m.signal(t, "KILL")
	pid = m.mainPID(t, pid)
	serves("after a crash")
	m.dropIn(t, "watchdog", "[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n")
	m.run(t, "systemctl", "restart", "signet.service")
	pid = m.mainPID(t, pid)
	m.signal(t, "STOP")
	pid = m.mainPID(t, pid)
	serves("after the watchdog")

	// The drop-ins that the pages show: a port below 1024, and a secret as a credential.
	m.dropIn(t, "port", strings.Join(documented(t, "package port"), "\n")+"\nEnvironment=SIGNET_LISTEN=127.0.0.1:443\n")
	m.run(t, "systemctl", "restart", "signet.service")
	pid = m.mainPID(t, pid)
	if _, err := m.curl("-f", "http://127.0.0.1:443/readyz"); err != nil {
		t.Errorf("port 443: %v\n%s", err, m.journal())
	}
	m.run(t, "rm", "-r", "/etc/systemd/system/signet.service.d")
	m.run(t, "sh", "-c", "cd /var/lib/signet && install -m 600 master.key /etc/signet/master-key && rm master.key")
	m.dropIn(t, "secret", strings.Join(documented(t, "package secret"), "\n")+"\n")
	m.run(t, "systemctl", "restart", "signet.service")
	pid = m.mainPID(t, pid)
	serves("with the master key as a credential")

	// A unix socket, and then the socket of systemd: no request is refused while the service restarts.
	m.dropIn(t, "listen", "[Service]\nEnvironment=SIGNET_LISTEN=unix:/run/signet/signet.sock\n")
	m.run(t, "systemctl", "restart", "signet.service")
	m.mainPID(t, pid)
	if out := m.run(t, "runuser", "-u", "signet", "--", "env", "SIGNET_LISTEN=unix:/run/signet/signet.sock", "signet", "health"); out != "ok\n" {
		t.Errorf("at the unix socket signet health prints %s", out)
	}
	m.run(t, "rm", "/etc/systemd/system/signet.service.d/listen.conf")
	m.run(t, "systemctl", "daemon-reload")
	for _, command := range documented(t, "package") {
		if strings.Contains(command, "signet.socket") || strings.Contains(command, "disable") {
			m.run(t, strings.Fields(command)...)
		}
	}
	serves("started by its socket")
	pid = m.mainPID(t, "")
	restarted := make(chan error, 1)
	go func() {
		_, err := m.try("systemctl", "restart", "signet.service")
		restarted <- err
	}()
	for asked, over := 0, false; !over || asked < 3; asked++ {
		if _, err := m.curl("-f", "http://127.0.0.1:8080/readyz"); err != nil {
			t.Fatalf("a request during the restart: %v\n%s", err, m.journal())
		}
		select {
		case err := <-restarted:
			if over = true; err != nil {
				t.Fatal(err)
			}
		default:
		}
	}
	pid = m.mainPID(t, pid)
	m.run(t, "systemctl", "disable", "--now", "signet.socket")
	m.run(t, "systemctl", "stop", "signet.service")
	m.run(t, "systemctl", "enable", "--now", "signet.service")
	pid = m.mainPID(t, pid)

	// An upgrade restarts the service, and keeps data and settings.
	m.run(t, "dpkg", "-i", "/var/second.deb")
	m.mainPID(t, pid)
	serves("after the upgrade")
	if got := m.run(t, "cat", "/etc/signet/signet.yaml"); got != settings {
		t.Errorf("the upgrade changed the settings:\n%s", got)
	}
	if !strings.Contains(m.run(t, "signet", "user", "list"), "ada@example.com") {
		t.Error("the upgrade lost a user")
	}
	m.run(t, "systemctl", "stop", "signet.service")
	m.run(t, "dpkg", "-i", "/var/second.deb")
	if state := m.property(t, "ActiveState"); state != "inactive" {
		t.Errorf("an upgrade left a stopped service %s", state)
	}

	// Removing keeps settings and data; purging keeps the data and the operator's files.
	m.run(t, "systemctl", "start", "signet.service")
	m.run(t, "dpkg", "-r", "signet")
	if _, err := m.try("pgrep", "-x", "signet"); err == nil {
		t.Error("the service runs after the removal")
	}
	left := func() string {
		return m.run(t, "sh", "-c", "find / -xdev ! -path '/proc/*' ! -path '/sys/*' ! -path '/var/lib/signet/*' ! -path '/var/lib/dpkg/*' ! -path '/run/*' ! -path '/var/log/*' -iname '*signet*' | sort")
	}
	m.run(t, "rm", "-r", "/etc/systemd/system/signet.service.d")
	if got := left(); !strings.Contains(got, "/etc/signet/signet.yaml\n") || strings.Contains(got, "/usr/") {
		t.Errorf("the removal left\n%s", got)
	}
	said = m.run(t, "dpkg", "-P", "signet")
	if got, want := left(), "/etc/signet\n/var/lib/signet\n"; got != want || !strings.Contains(said, "rm -r /var/lib/signet") {
		t.Errorf("the purge left\n%s\nwant\n%s\nand said %s", got, want, said)
	}
	if got := m.run(t, "ls", "/etc/signet", "/var/lib/signet"); !strings.Contains(got, "master-key") || !strings.Contains(got, "signet.db") || strings.Contains(got, "signet.yaml") {
		t.Errorf("the purge left %s", got)
	}
}

// documented returns the lines of the blocks of docs/operation.md with the comment
// <!-- run: NAME -->, without the prompt and sudo.
func documented(t *testing.T, name string) (lines []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/operation.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(page), "<!-- run: "+name+" -->\n```")[1:] {
		_, part, _ = strings.Cut(part, "\n")
		block, _, ends := strings.Cut(part, "```\n")
		if !ends {
			t.Fatalf("the block %s of docs/operation.md has no end", name)
		}
		for line := range strings.Lines(block) {
			lines = append(lines, strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "$ "), "sudo "))
		}
	}
	if len(lines) == 0 {
		t.Fatalf("docs/operation.md has no block %s", name)
	}
	return lines
}

// checkSandbox compares the running process with the promises of the unit.
func checkSandbox(t *testing.T, m *machine, pid string) {
	t.Helper()
	status := m.run(t, "cat", "/proc/"+pid+"/status")
	for _, line := range []string{"NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"} {
		if !strings.Contains(status, line) {
			t.Errorf("the process has not %q:\n%s", line, status)
		}
	}
	if uid := m.run(t, "id", "-u", "signet"); !strings.Contains(status, "Uid:\t"+strings.TrimSpace(uid)+"\t") {
		t.Errorf("the process does not run as signet:\n%s", status)
	}
	if log := m.journal(); strings.Contains(log, "EPERM") || strings.Contains(log, "not permitted") {
		t.Errorf("the sandbox stands in the way:\n%s", log)
	}
	limits := m.run(t, "cat", "/proc/"+pid+"/limits")
	if found := regexp.MustCompile(`Max open files +(\d+)`).FindStringSubmatch(limits); found == nil || number(t, found[1]) < 20000 {
		t.Errorf("the process may open too few files:\n%s", limits)
	}
}

// TestDeb_WithoutSystemd installs the package into a root without a running systemd, from
// inside and from outside of it.
func TestDeb_WithoutSystemd(t *testing.T) {
	first, second := debPackages(t)
	root := debianRoot(t)
	for name, file := range map[string]string{"first.deb": first, "second.deb": second} {
		must(t, exec.Command("cp", file, filepath.Join(root, "var", name)))
	}
	inside := func(args ...string) string {
		t.Helper()
		return must(t, exec.Command("chroot", append([]string{root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}, args...)...))
	}
	inside("dpkg", "-i", "/var/first.deb")
	inside("dpkg", "-i", "/var/second.deb")
	if got := inside("runuser", "-u", "signet", "--", "signet", "version"); got == "" {
		t.Error("the program prints no version")
	}
	inside("dpkg", "-P", "signet")
	if _, err := os.Stat(filepath.Join(root, "etc/signet")); !os.IsNotExist(err) {
		t.Errorf("after the purge: %v", err)
	}
	// From outside, as tools that build images do.
	must(t, exec.Command("dpkg", "--root="+root, "-i", first))
	must(t, exec.Command("dpkg", "--root="+root, "-P", "signet"))
	must(t, exec.Command("dpkg", "--root="+root, "--force-script-chrootless", "-i", first))
	if got := inside("stat", "-c", "%A %U %G", "/etc/signet/signet.yaml", "/var/lib/signet"); got != "-rw-r----- root signet\ndrwx------ signet signet\n" {
		t.Errorf("modes and owners are\n%s", got)
	}
	must(t, exec.Command("dpkg", "--root="+root, "--force-script-chrootless", "-P", "signet"))
}

// TestDeb_OtherProcessor runs the program of the package for another processor in an emulator, in
// a Debian of that processor.
func TestDeb_OtherProcessor(t *testing.T) {
	r := built(t, "deb")
	arch, emulator := "arm64", "qemu-aarch64-static"
	if runtime.GOARCH == arch {
		arch, emulator = "amd64", "qemu-x86_64-static"
	}
	root, data := t.TempDir(), t.TempDir()
	must(t, exec.Command("mmdebstrap", "--quiet", "--variant=extract", "--architectures="+arch, "--include=libc6,libssl3", "bookworm", root, "http://deb.debian.org/debian"))
	must(t, exec.Command("dpkg-deb", "--extract", filepath.Join(r.out, "signet_"+r.version+"_"+arch+".deb"), root))
	program := func(args ...string) *exec.Cmd {
		c := exec.Command(emulator, append([]string{"-L", root, filepath.Join(root, "usr/bin/signet")}, args...)...)
		c.Env = []string{"SIGNET_ISSUER=http://127.0.0.1:18471", "SIGNET_LISTEN=127.0.0.1:18471", "SIGNET_DATA_DIR=" + filepath.Join(data, "signet"), "PATH=/usr/bin:/bin"}
		return c
	}
	if version := must(t, program("version")); !strings.Contains(version, r.version) {
		t.Errorf("signet version prints %s", version)
	}
	serve := program("serve")
	var talk bytes.Buffer
	serve.Stderr = &talk
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = serve.Process.Kill()
		_ = serve.Wait()
		if t.Failed() {
			t.Log(talk.String())
		}
	}()
	eventually(t, 2*time.Minute, "the server answers", func() bool {
		answer, err := output2(exec.Command("curl", "-sSf", "http://127.0.0.1:18471/.well-known/openid-configuration"))
		return err == nil && strings.Contains(answer, `"issuer":"http://127.0.0.1:18471"`)
	})
}
