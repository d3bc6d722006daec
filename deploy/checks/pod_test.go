package checks_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// program is the built signet, without a C library, as in the image.
var program = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "signet-checks-")
	if err != nil {
		return "", err
	}
	programFolder = folder
	built := filepath.Join(folder, "signet")
	build := exec.Command("go", "build", "-trimpath", "-o", built, "./cmd/signet")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build signet: %w\n%s", err, out)
	}
	return built, nil
})

// programFolder is the folder of the program; "" if no test has built it.
var programFolder string

func TestMain(m *testing.M) {
	code := m.Run()
	if programFolder != "" {
		_ = os.RemoveAll(programFolder)
	}
	os.Exit(code)
}

// signet returns a command of the program on this machine.
func signet(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	built, err := program()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), built, args...)
	c.Env = env
	return c
}

// cluster is what a Pod finds in a cluster: the Secrets, and the volume of its claim.
type cluster struct {
	secrets map[string]map[string]string
	volume  string // folder of the claim "data"
}

// instance is one Pod, run as kubelet runs it: as its user, with its groups, variables and volumes,
// in a root folder that the user cannot write to. There is no name space for the network, so the
// port is another one.
type instance struct {
	root string
	port int
	spec corev1.PodSpec
	ip   string
	run  *exec.Cmd
	log  string // file of the container's log
	done chan error
}

// newInstance makes the root of a Pod.
func (c *cluster) newInstance(t *testing.T, r rendered) *instance {
	t.Helper()
	pod, _ := r.pod()
	root, err := os.MkdirTemp("", "signet-pod-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	p := &instance{root: root, log: filepath.Join(t.TempDir(), "log"), port: freePort(t), spec: pod.Spec, ip: "10.244.1.7"}
	must(t, os.Chmod(root, 0o755))
	must(t, os.MkdirAll(filepath.Join(root, "usr/bin"), 0o755))
	built, err := program()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(filepath.Join(root, "usr/bin/signet"), content, 0o755))
	must(t, os.Chmod(filepath.Join(root, "usr/bin/signet"), 0o755))
	must(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "etc/hosts"), []byte("127.0.0.1\tlocalhost\n::1\tlocalhost\n"), 0o644)) // kubelet writes it
	must(t, os.Chmod(filepath.Join(root, "etc/hosts"), 0o644))
	for _, m := range p.spec.Containers[0].VolumeMounts {
		at := filepath.Join(root, m.MountPath)
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		c.mount(t, r, p, m, at)
	}
	return p
}

// mount makes the volume of a mount, with the modes that kubelet gives it for the fsGroup.
func (c *cluster) mount(t *testing.T, r rendered, p *instance, m corev1.VolumeMount, at string) {
	t.Helper()
	group := int(*p.spec.SecurityContext.FSGroup)
	i := slices.IndexFunc(p.spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
	switch {
	case i < 0: // of the claim
		bind(t, c.volume, at)
	case p.spec.Volumes[i].ConfigMap != nil:
		files := map[string]mounted{}
		for name, text := range r.ConfigMap.Data {
			files[name] = mounted{text, 0o644}
		}
		writeVolume(t, at, group, files)
	case p.spec.Volumes[i].Projected != nil:
		files := map[string]mounted{}
		for _, source := range p.spec.Volumes[i].Projected.Sources {
			for _, item := range source.Secret.Items {
				text, ok := c.secrets[source.Secret.Name][item.Key]
				if !ok {
					t.Fatalf("there is no Secret %s with a key %s", source.Secret.Name, item.Key)
				}
				files[item.Path] = mounted{text, fs.FileMode(*p.spec.Volumes[i].Projected.DefaultMode)}
			}
		}
		writeVolume(t, at, group, files)
	case p.spec.Volumes[i].EmptyDir != nil:
		must(t, os.MkdirAll(at, 0o777))
		must(t, os.Chown(at, 0, group))
		must(t, os.Chmod(at, 0o777|os.ModeSetgid))
	default:
		t.Fatalf("unknown volume %v", p.spec.Volumes[i])
	}
}

type mounted struct {
	text string
	mode fs.FileMode
}

// writeVolume writes a ConfigMap or Secret like kubelet: the files are links through ..data, and
// the group of the Pod may read them.
func writeVolume(t *testing.T, at string, group int, files map[string]mounted) {
	t.Helper()
	const version = "..2026_11_30_00_00_00.123456789"
	must(t, os.MkdirAll(filepath.Join(at, version), 0o755))
	for name, file := range files {
		path := filepath.Join(at, version, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(file.text), 0o600))
		must(t, os.Chmod(path, file.mode|0o440))
		top, _, _ := strings.Cut(name, "/")
		if err := os.Symlink(filepath.Join("..data", top), filepath.Join(at, top)); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	must(t, os.Symlink(version, filepath.Join(at, "..data")))
	must(t, filepath.WalkDir(at, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, 0, group))
	}))
	must(t, os.Chmod(at, 0o777|os.ModeSetgid|os.ModeSticky))
}

// setVolumeOwnership does what kubelet does at each mount of a volume with an fsGroup
// (pkg/volume, SetVolumeOwnership).
func setVolumeOwnership(t *testing.T, root string, group int) {
	t.Helper()
	must(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		state, err := os.Lstat(path)
		if err != nil {
			return err
		}
		mode := state.Mode().Perm() | 0o660
		if entry.IsDir() {
			mode |= 0o110 | os.ModeSetgid
		}
		owner := state.Sys().(*syscall.Stat_t).Uid
		return errors.Join(os.Lchown(path, int(owner), group), os.Chmod(path, mode))
	}))
}

// command returns a command in the Pod, as kubectl exec or the container's own.
func (p *instance) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	security := p.spec.SecurityContext
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOSTNAME=login-signet-0", "KUBERNETES_SERVICE_HOST=10.96.0.1", "KUBERNETES_SERVICE_PORT=443"}
	for _, e := range p.spec.Containers[0].Env {
		if e.Name == "SIGNET_LISTEN" {
			if want := fmt.Sprintf(":%d", p.spec.Containers[0].Ports[0].ContainerPort); e.Value != want {
				t.Fatalf("the Pod listens on %s, its port is %s", e.Value, want)
			}
			e.Value = fmt.Sprintf(":%d", p.port)
		}
		env = append(env, e.Name+"="+e.Value)
	}
	c := exec.CommandContext(t.Context(), "/usr/bin/signet", args...)
	c.Err = nil // the path is below the root of the Pod
	c.Env, c.Dir = env, "/"
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: p.root, Credential: &syscall.Credential{
		Uid: uint32(*security.RunAsUser), Gid: uint32(*security.RunAsGroup), Groups: []uint32{uint32(*security.FSGroup)},
	}}
	return c
}

// start starts the container.
func (p *instance) start(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root, to act as the user of the Pod")
	}
	log, err := os.Create(p.log)
	must(t, err)
	defer log.Close()
	p.run = p.command(t, p.spec.Containers[0].Args...)
	p.run.Stdout, p.run.Stderr = log, log
	must(t, p.run.Start())
	p.done = make(chan error, 1)
	go func() { p.done <- p.run.Wait() }()
	t.Cleanup(func() { _ = p.run.Process.Kill() })
	p.await(t, p.spec.Containers[0].StartupProbe)
	p.await(t, p.spec.Containers[0].LivenessProbe)
	p.await(t, p.spec.Containers[0].ReadinessProbe)
}

// await probes as kubelet does, until the probe succeeds or would have failed.
func (p *instance) await(t *testing.T, probe *corev1.Probe) {
	t.Helper()
	limit := time.Now().Add(time.Duration(probe.PeriodSeconds*probe.FailureThreshold) * time.Second)
	for {
		err := p.probe(t, probe)
		if err == nil {
			return
		}
		select {
		case ended := <-p.done:
			t.Fatalf("the container ended (%v):\n%s", ended, p.said(t))
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(limit) {
			t.Fatalf("the probe %s fails: %v\n%s", probe.HTTPGet.Path, err, p.said(t))
		}
	}
}

// probe sends one request of kubelet: to the address of the Pod, which is also its Host, without
// a check of the certificate. Any status from 200 to 399 is a success.
func (p *instance) probe(t *testing.T, probe *corev1.Probe) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(probe.TimeoutSeconds)*time.Second)
	defer cancel()
	get := probe.HTTPGet
	address := fmt.Sprintf("%s://127.0.0.1:%d%s", strings.ToLower(string(get.Scheme)), p.port, get.Path)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	request.Host = net.JoinHostPort(p.ip, strconv.Itoa(int(p.spec.Containers[0].Ports[0].ContainerPort)))
	request.Header.Set("User-Agent", "kube-probe/1.33")
	request.Header.Set("Accept", "*/*")
	request.Close = true
	client := http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 399 {
		return fmt.Errorf("the answer is %s", answer.Status)
	}
	return nil
}

// stop ends the container with SIGTERM, which must succeed within the time that is left for it.
func (p *instance) stop(t *testing.T) {
	t.Helper()
	must(t, p.run.Process.Signal(syscall.SIGTERM))
	grace := time.Duration(*p.spec.TerminationGracePeriodSeconds)*time.Second - 5*time.Second
	select {
	case err := <-p.done:
		if err != nil {
			t.Errorf("the container ended with %v:\n%s", err, p.said(t))
		}
	case <-time.After(grace):
		t.Fatalf("the container still runs %s after SIGTERM", grace)
	}
}

// wantQuiet checks that the log has no warning about a file or a folder.
func (p *instance) wantQuiet(t *testing.T) {
	t.Helper()
	for _, word := range []string{"chmod", "other users", "permission", "read-only"} {
		if strings.Contains(p.said(t), word) {
			t.Errorf("the log contains %q:\n%s", word, p.said(t))
		}
	}
}

// said returns the log of the container.
func (p *instance) said(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(p.log)
	must(t, err)
	return string(content)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// startPostgres starts a PostgreSQL of this test and returns its URL.
func startPostgres(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Fatal("PostgreSQL is missing: apt-get install postgresql")
	}
	binaries := filepath.Dir(found[len(found)-1])
	folder, err := os.MkdirTemp("", "signet-postgres-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	owner, err := user.Lookup("postgres")
	must(t, err)
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	must(t, os.Chown(folder, uid, gid))
	as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	initdb := exec.CommandContext(t.Context(), filepath.Join(binaries, "initdb"), "-D", folder+"/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = folder, as
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	port := freePort(t)
	server := exec.Command(filepath.Join(binaries, "postgres"), "-D", folder+"/data", "-k", folder, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-c", "fsync=off")
	server.Dir, server.SysProcAttr = folder, as
	must(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGQUIT)
		_ = server.Wait()
	})
	limit := time.Now().Add(30 * time.Second)
	for {
		ready := exec.CommandContext(t.Context(), filepath.Join(binaries, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(port))
		if ready.Run() == nil {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("PostgreSQL does not start")
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
}
