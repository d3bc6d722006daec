package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// whole is a release that all tests of artefacts share.
var whole struct {
	sync.Mutex
	r    *release
	done map[string]bool
}

// built builds artefacts of the working tree, each only once for all tests.
func built(t *testing.T, names ...string) *release {
	t.Helper()
	whole.Lock()
	defer whole.Unlock()
	ctx := context.WithoutCancel(t.Context())
	if whole.r == nil {
		r, err := open(ctx, ".", true)
		if err != nil {
			t.Fatal(err)
		}
		r.talk, r.contact = os.Stderr, "https://signet.example/security"
		whole.r, whole.done = r, map[string]bool{}
	}
	for _, a := range artefacts {
		if slices.Contains(names, a.name) && !whole.done[a.name] {
			if err := a.build(whole.r, ctx); err != nil {
				t.Fatal(err)
			}
			whole.done[a.name] = true
		}
	}
	return whole.r
}

// The second build has nothing in common with the first but the commit: it runs in another
// folder, with an empty build cache, another umask, time zone and language.
func TestRelease_SameBytesInOtherSurroundings(t *testing.T) {
	r := built(t, names(artefacts)...)
	clone := filepath.Join(t.TempDir(), "a folder with another name", "signet")
	output(t, "", "git", "-c", "safe.directory=*", "clone", "-q", "--shared", r.root, clone)
	output(t, "", "git", "-C", clone, "rm", "-rq", "--cached", ".")
	output(t, "", "cp", "-a", r.source+"/.", clone)
	output(t, "", "git", "-C", clone, "reset", "-q")
	modules := filepath.Join(clone, "sdk/react/node_modules")
	if err := os.RemoveAll(modules); err != nil {
		t.Fatal(err)
	}
	output(t, "", "cp", "-a", filepath.Join(r.root, "sdk/react/node_modules")+"/.", modules)

	out := filepath.Join(t.TempDir(), "out")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "sh", "-c", `umask 077; exec "$0" -dirty -contact https://signet.example/security -out "$1"`, program, out)
	c.Dir = filepath.Join(clone, "deploy/release")
	c.Env = append(os.Environ(), "GOCACHE="+t.TempDir(), "TMPDIR="+t.TempDir(), "TZ=Asia/Kathmandu", "LC_ALL=tr_TR.UTF-8", "CGO_CFLAGS=-O0", "SOURCE_DATE_EPOCH=1", "GOFLAGS=", asRelease+"=yes")
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("second build: %v\n%s", err, text)
	}
	first, second := contents(t, r.out), contents(t, out)
	delete(second, mark)
	if len(first) < len(artefacts) {
		t.Errorf("got %d artefacts", len(first))
	}
	for name, sum := range first {
		if second[name] != sum {
			t.Errorf("%s differs between the builds", name)
		}
	}
	for name := range second {
		if _, ok := first[name]; !ok {
			t.Errorf("only the second build has %s", name)
		}
	}
}

// contents returns the sums of the files in a folder.
func contents(t *testing.T, folder string) map[string][32]byte {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string][32]byte{}
	for _, e := range entries {
		sums[e.Name()] = sha256.Sum256(read(t, filepath.Join(folder, e.Name())))
	}
	return sums
}

func TestStatic_NeedsNoLibrary(t *testing.T) {
	r := built(t, "static")
	for _, target := range staticTargets {
		folder := "signet-" + r.version + "-" + target.String()
		root := t.TempDir()
		output(t, root, "tar", "xzf", filepath.Join(r.out, folder+".tar.gz"))
		for _, name := range []string{"README.md", "CHANGELOG.md", "LICENSE", "NOTICES"} {
			if len(read(t, filepath.Join(root, folder, name))) == 0 {
				t.Errorf("%s: %s is empty", target, name)
			}
		}
		program := filepath.Join(root, folder, "signet")
		if target.os == "darwin" {
			file, err := macho.Open(program)
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}[target.arch]; file.Cpu != want {
				t.Errorf("%s: got a program for %s", target, file.Cpu)
			}
			continue
		}
		file, err := elf.Open(program)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[target.arch]; file.Machine != want {
			t.Errorf("%s: got a program for %s", target, file.Machine)
		}
		libraries, err := file.ImportedLibraries()
		if err != nil || len(libraries) > 0 {
			t.Errorf("%s: needs %q, %v", target, libraries, err)
		}
		for _, segment := range file.Progs {
			if segment.Type == elf.PT_INTERP {
				t.Errorf("%s: has an interpreter", target)
			}
		}
	}
}

func TestPrograms_KnowTheirOrigin(t *testing.T) {
	r := built(t)
	for _, target := range []target{{os: "linux", arch: "amd64"}, fastTarget} {
		program, err := r.program(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		got := versionOf(t, program)
		sqlite, err := r.sqliteVersion(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		driver := map[bool]string{true: "cgo", false: "go"}[target.fast]
		if got.Version != r.version || got.Commit != r.commit || got.Date != r.date.Format(time.RFC3339) || got.Release != r.exact || got.Modified != r.dirty ||
			got.SQLite.Driver != driver || got.SQLite.Module != sqliteModule(target) || got.SQLite.Version != sqlite || got.PKCS11 != target.fast {
			t.Errorf("%s: got %+v", target, got)
		}
	}
}

// origin is the answer of `signet version --json`.
type origin struct {
	Version, Commit, Date string
	Release, Modified     bool
	SQLite                struct{ Driver, Module, Version string }
	PKCS11                bool
}

func versionOf(t *testing.T, program string) origin {
	t.Helper()
	var o origin
	if err := json.Unmarshal([]byte(output(t, "", program, "version", "--json")), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestStatic_ArmAnswersDiscovery(t *testing.T) {
	r := built(t)
	program, err := r.program(t.Context(), target{os: "linux", arch: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		if qemu, err = exec.LookPath("qemu-aarch64"); err != nil {
			t.Fatal("needs qemu-user-static: make prepare-dist")
		}
	}
	serve(t, running{command: []string{qemu, program}, env: []string{"SIGNET_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}})
}

func TestImage_RunsAsAnotherUserOnAReadOnlyRoot(t *testing.T) {
	r := built(t, "images")
	for _, tried := range []struct {
		kind   string
		driver string
	}{{"scratch", "go"}, {"debian", "cgo"}} {
		t.Run(tried.kind, func(t *testing.T) {
			file := filepath.Join(r.out, "signet-"+r.version+"-"+tried.kind+"-amd64.docker.tar")
			image, err := tarball.ImageFromPath(file, nil)
			if err != nil {
				t.Fatal(err)
			}
			root := unpack(t, image)
			config, err := image.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			if config.Config.User != "65532:65532" || !slices.Contains(config.Config.Env, "SIGNET_LISTEN=0.0.0.0:8080") || config.Config.Labels["org.opencontainers.image.version"] != r.version {
				t.Errorf("got %+v", config.Config)
			}
			if owner := fileOwner(t, filepath.Join(root, "data")); owner != imageUser {
				t.Errorf("/data belongs to user %d", owner)
			}
			data := t.TempDir()
			if err := errors.Join(os.Chmod(data, 0o700), os.Chown(data, imageUser, imageUser)); err != nil {
				t.Fatal(err)
			}
			// The folder of the test is not open to others, and bind mounts do not ask.
			inside := func(args ...string) []string {
				script := `mount --bind "$0" "$0" && mount --bind "$1" "$0/data" && mount -o remount,ro,bind "$0" && root=$0 && shift && exec chroot --userspec=` + config.Config.User + ` "$root" "$@"`
				return append([]string{"unshare", "--mount", "sh", "-c", script, root, data}, args...)
			}
			entry := inside("/usr/bin/" + config.Config.Entrypoint[0])
			address := serve(t, running{command: entry, args: config.Config.Cmd, env: config.Config.Env})
			env := append(slices.Clone(config.Config.Env), "SIGNET_LISTEN="+address, "SIGNET_ISSUER=https://id.example.com")

			check := inside(config.Config.Healthcheck.Test[1:]...)
			if text, err := command(t, env, check).CombinedOutput(); err != nil {
				t.Errorf("health check: %v\n%s", err, text)
			}
			text, err := command(t, env, append(slices.Clone(entry), "version", "--json")).Output()
			var got origin
			if err := errors.Join(err, json.Unmarshal(text, &got)); err != nil || got.SQLite.Driver != tried.driver {
				t.Errorf("got %s %v, want the SQLite of %s", text, err, tried.driver)
			}
			// The root is really read-only, so the program has written only to /data.
			if tried.kind == "debian" {
				if _, err := os.Stat(filepath.Join(root, "usr/lib/x86_64-linux-gnu/libcrypto.so.3")); err != nil {
					t.Error(err)
				}
			}
			authorities := x509.NewCertPool()
			if !authorities.AppendCertsFromPEM(read(t, filepath.Join(root, "etc/ssl/certs/ca-certificates.crt"))) {
				t.Error("the image has no certificate authorities")
			}
			if _, err := os.Stat(filepath.Join(data, "master.key")); err != nil {
				t.Errorf("the master key is not in /data: %v", err)
			}
		})
	}
}

func TestImage_FilesCanBeReadAgain(t *testing.T) {
	r := built(t, "images")
	for _, c := range []struct {
		kind      string
		platforms []string
	}{{"scratch", []string{"linux/amd64", "linux/arm64/v8"}}, {"debian", []string{"linux/amd64"}}} {
		folder := t.TempDir()
		output(t, folder, "tar", "xf", filepath.Join(r.out, "signet-"+r.version+"-"+c.kind+".oci.tar"))
		outer, err := layout.ImageIndexFromPath(folder)
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := outer.IndexManifest()
		if err != nil || len(manifest.Manifests) != 1 {
			t.Fatalf("got %+v, %v", manifest, err)
		}
		index, err := outer.ImageIndex(manifest.Manifests[0].Digest)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(index); err != nil {
			t.Error(err)
		}
		inner, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		var platforms []string
		for _, m := range inner.Manifests {
			platforms = append(platforms, m.Platform.String())
			arch := m.Platform.Architecture
			file := filepath.Join(r.out, "signet-"+r.version+"-"+c.kind+"-"+arch+".docker.tar")
			loaded, err := tarball.ImageFromPath(file, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate.Image(loaded); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			image, err := index.Image(m.Digest)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := configName(t, loaded), configName(t, image); a != b {
				t.Errorf("%s %s: the files contain different images, %s and %s", c.kind, arch, a, b)
			}
			stored, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(file) })
			if err != nil || len(stored) != 1 || !slices.Equal(stored[0].RepoTags, []string{r.tag(c.kind)}) {
				t.Errorf("%s: got %+v, %v", file, stored, err)
			}
		}
		if !slices.Equal(platforms, c.platforms) {
			t.Errorf("%s: got the platforms %q, want %q", c.kind, platforms, c.platforms)
		}
	}
}

func configName(t *testing.T, image v1.Image) string {
	t.Helper()
	name, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return name.String()
}

// unpack writes the files of an image to a folder.
func unpack(t *testing.T, image v1.Image) string {
	t.Helper()
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	files := mutate.Extract(image)
	defer files.Close()
	c := exec.CommandContext(t.Context(), "tar", "x", "--same-owner", "-p", "-C", root)
	c.Stdin = files
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("unpack: %v\n%s", err, out)
	}
	return root
}

func fileOwner(t *testing.T, name string) int {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// running is a server that a test starts.
type running struct {
	command []string // up to the program
	args    []string // serve, if there are none
	env     []string
}

// serve starts a server and waits until it answers discovery and is ready. It returns the
// address on which it listens.
func serve(t *testing.T, s running) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	if s.args == nil {
		s.args = []string{"serve"}
	}
	c := command(t, append(slices.Clone(s.env), "SIGNET_LISTEN="+address, "SIGNET_ISSUER=https://id.example.com"), append(slices.Clone(s.command), s.args...))
	var log bytes.Buffer
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the server ended with %v:\n%s", err, log.String())
			}
		case <-time.After(time.Minute):
			_ = c.Process.Kill()
			<-ended
			t.Errorf("SIGTERM did not end the server:\n%s", log.String())
		}
	})
	client := &http.Client{Timeout: 10 * time.Second}
	ask := func(path string) ([]byte, error) {
		request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+path, nil)
		if err != nil {
			return nil, err
		}
		request.Host = "id.example.com"
		request.Header.Set("X-Forwarded-Proto", "https")
		answer, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s %s", path, answer.Status, text)
		}
		return text, err
	}
	ready := false
	for deadline := time.Now().Add(5 * time.Minute); !ready; {
		_, err := ask("/readyz")
		if ready = err == nil; ready {
			break
		}
		select {
		case ended <- <-ended:
			t.Fatalf("the server ended:\n%s", log.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server did not become ready: %v", err)
		}
	}
	text, err := ask("/.well-known/openid-configuration")
	var discovery struct{ Issuer string }
	if err := errors.Join(err, json.Unmarshal(text, &discovery)); err != nil || discovery.Issuer != "https://id.example.com" {
		t.Errorf("discovery: got %q, %v", text, err)
	}
	return address
}

func command(t *testing.T, env, args []string) *exec.Cmd {
	c := exec.CommandContext(context.WithoutCancel(t.Context()), args[0], args[1:]...)
	c.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	if !slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "PATH=") }) {
		return c
	}
	// The PATH of an image is for the program in it, and not for the commands around it.
	c.Env = append(c.Env, "PATH="+os.Getenv("PATH"))
	return c
}

func TestSums_SignatureIsCheckedAsDocumented(t *testing.T) {
	folder := t.TempDir()
	key := filepath.Join(folder, "key")
	output(t, folder, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "signet", "-f", key)
	out := filepath.Join(folder, "out")
	write(t, out, "signet-0.1.0.tar.gz", "program")
	write(t, out, "NOTICES", "terms")
	r := &release{out: out, key: key, talk: testWriter{t}}
	if err := r.sums(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, out, "allowed_signers", "signet "+string(read(t, key+".pub")))
	check := func(script string) error {
		c := exec.CommandContext(t.Context(), "sh", "-ec", script)
		c.Dir = out
		text, err := c.CombinedOutput()
		t.Logf("%s", text)
		return err
	}
	documented := commandsOf(t, "sums")
	if len(documented) != 2 {
		t.Fatalf("docs/install.md documents %q, want the signature and the sums", documented)
	}
	verify, sums := documented[0], documented[1]
	if err := errors.Join(check(verify), check(sums)); err != nil {
		t.Fatal(err)
	}
	if check(strings.Replace(verify, "signet-release", "file", 1)) == nil {
		t.Error("the signature is valid for another use")
	}
	write(t, out, "signet-0.1.0.tar.gz", "Program")
	if check(sums) == nil {
		t.Error("a changed artefact was accepted")
	}
	list := read(t, filepath.Join(out, sumsFile))
	list[0] ^= 1
	write(t, out, sumsFile, string(list))
	if check(verify) == nil {
		t.Error("a changed list was accepted")
	}

	for name, key := range map[string]string{"missing": filepath.Join(folder, "none"), "not a key": filepath.Join(out, "NOTICES")} {
		r := &release{out: t.TempDir(), key: key, talk: testWriter{t}}
		write(t, r.out, "a", "a")
		if err := r.sums(t.Context()); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s key: got %v", name, err)
		}
	}
	unsigned := &release{out: t.TempDir(), talk: &bytes.Buffer{}}
	write(t, unsigned.out, "a", "a")
	if err := unsigned.sums(t.Context()); err != nil || !strings.Contains(unsigned.talk.(*bytes.Buffer).String(), "is not signed") {
		t.Errorf("without a key: got %v, %q", err, unsigned.talk)
	}
	if err := (&release{out: t.TempDir(), talk: testWriter{t}}).sums(t.Context()); err == nil {
		t.Error("sums of nothing were written")
	}
}

// commandsOf returns the commands of a block of docs/install.md.
func commandsOf(t *testing.T, block string) []string {
	t.Helper()
	_, text, found := strings.Cut(string(read(t, "../../docs/install.md")), "<!-- run: "+block+" -->\n```console\n")
	if !found {
		t.Fatalf("docs/install.md has no block %s", block)
	}
	text, _, _ = strings.Cut(text, "\n```")
	var commands []string
	for line := range strings.Lines(text) {
		if c, ok := strings.CutPrefix(strings.TrimSpace(line), "$ "); ok {
			commands = append(commands, c)
		}
	}
	return commands
}

// The pages and deploy/compose name the images as docker load does.
func TestImage_NamesAreThoseOfTheImages(t *testing.T) {
	number := regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`)
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "../compose/compose.yaml", "../../README.md") {
		for _, name := range regexp.MustCompile("(?:SIGNET_IMAGE=| )signet:[a-z0-9.-]+").FindAllString(string(read(t, page)), -1) {
			_, tag, _ := strings.Cut(name, "signet:")
			found++
			if kind := number.ReplaceAllString(tag, "VERSION"); kind != "VERSION-debian" && kind != "VERSION-scratch" {
				t.Errorf("%s names the image signet:%s", page, tag)
			}
		}
	}
	if found < 4 {
		t.Errorf("found %d names", found)
	}
}

// The commands in the documentation name files, tags and folders that the images really have.
func TestImage_CommandsAreThoseOfTheImages(t *testing.T) {
	r := built(t, "images")
	commands := commandsOf(t, "image")
	if len(commands) != 3 {
		t.Fatalf("docs/install.md documents %q, want load, run and exec", commands)
	}
	version := regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+-`)
	file := strings.TrimPrefix(version.ReplaceAllString(commands[0], r.version+"-"), "docker load --input ")
	image, err := tarball.ImageFromPath(filepath.Join(r.out, file), nil)
	if err != nil {
		t.Fatalf("%s: %v", commands[0], err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	run := strings.Fields(commands[1])
	volume := slices.Index(run, "--volume") + 1
	if _, to, _ := strings.Cut(run[volume], ":"); !slices.Contains(config.Config.Env, "SIGNET_DATA_DIR="+to) {
		t.Errorf("%s: the image keeps its data elsewhere, %q", commands[1], config.Config.Env)
	} else if _, ok := config.Config.Volumes[to]; !ok {
		t.Errorf("%s: the image has the volumes %v", commands[1], config.Config.Volumes)
	}
	port := slices.Index(run, "--publish") + 1
	if _, ok := config.Config.ExposedPorts[run[port][strings.LastIndex(run[port], ":")+1:]+"/tcp"]; !ok {
		t.Errorf("%s: the image has the ports %v", commands[1], config.Config.ExposedPorts)
	}
	if last := version.ReplaceAllString(run[len(run)-1], r.version+"-"); last != r.tag("debian") {
		t.Errorf("%s: the image is loaded as %s", commands[1], r.tag("debian"))
	}
	for _, option := range []string{"--read-only", "SIGNET_ISSUER=https://id.example.com"} {
		if !slices.Contains(run, option) {
			t.Errorf("%s lacks %s, which the test of the image tries", commands[1], option)
		}
	}
}

func TestSBOM_IsValidAndListsTheModulesOfEachProgram(t *testing.T) {
	r := built(t, "sbom", "static")
	schema := bomSchema(t)
	for _, target := range allTargets() {
		program, err := r.program(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		content := read(t, filepath.Join(r.out, "signet-"+r.version+"-"+target.String()+".cdx.json"))
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err := errors.Join(err, schema.Validate(document)); err != nil {
			t.Errorf("%s: %v", target, err)
		}
		var bom struct {
			Metadata struct {
				Component struct{ Hashes []struct{ Content string } }
			}
			Components []struct {
				Name, Version, Purl string
			}
		}
		if err := json.Unmarshal(content, &bom); err != nil {
			t.Fatal(err)
		}
		listed := map[string]string{}
		for _, c := range bom.Components {
			listed[c.Name] = c.Version
		}
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		for _, dep := range info.Deps {
			if listed[dep.Path] != dep.Version {
				t.Errorf("%s: %s is listed as %q, want %s", target, dep.Path, listed[dep.Path], dep.Version)
			}
		}
		if got, want := len(bom.Components), len(info.Deps)+2; got != want { // with Go and SQLite
			t.Errorf("%s: got %d parts, want %d", target, got, want)
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(read(t, program))); bom.Metadata.Component.Hashes[0].Content != sum {
			t.Errorf("%s: the list has the hash of another program", target)
		}
	}
	debian := string(read(t, filepath.Join(r.out, "signet-"+r.version+"-debian.cdx.json")))
	for _, part := range []string{"pkg:deb/debian/libc6@", "pkg:deb/debian/libssl3", "pkg:golang/github.com/mattn/go-sqlite3@"} {
		if !strings.Contains(debian, part) {
			t.Errorf("the list of the Debian-based image lacks %s", part)
		}
	}
}

// bomSchema is the JSON Schema of CycloneDX 1.6, which the library contains.
func bomSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	folder := filepath.Join(output(t, "", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go"), "schema")
	compiler := jsonschema.NewCompiler()
	for name, file := range map[string]string{"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json"} {
		content, err := os.ReadFile(filepath.Join(folder, file))
		if errors.Is(err, os.ErrNotExist) {
			content, err = os.ReadFile(filepath.Join(folder, name))
		}
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err := errors.Join(err, compiler.AddResource("http://cyclonedx.org/schema/"+name, document)); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestNotices_HaveTheTermsOfEveryModule(t *testing.T) {
	r := built(t, "notices")
	notices := string(read(t, filepath.Join(r.out, "NOTICES")))
	for _, target := range allTargets() {
		program, err := r.program(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		for _, dep := range info.Deps {
			if !strings.Contains(notices, "\n"+dep.Path+" "+dep.Version+": LICENSE") && !strings.Contains(notices, "\n"+dep.Path+" "+dep.Version+": COPYING") {
				t.Errorf("NOTICES lacks the terms of %s %s", dep.Path, dep.Version)
			}
		}
	}
	for _, target := range allTargets() {
		folders, err := r.folders(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		for path, f := range folders {
			m, err := f.module(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, terms := range m.texts {
				if !strings.Contains(notices, strings.TrimSpace(terms.content)) {
					t.Errorf("NOTICES lacks the text of %s of %s", terms.name, path)
				}
			}
		}
	}
	if !strings.Contains(notices, "Copyright 2009 The Go Authors") {
		t.Error("NOTICES lacks the terms of Go")
	}
}

func TestNotices_RefuseUnknownTerms(t *testing.T) {
	for terms, want := range map[string]string{
		"Apache License\n                           Version 2.0, January 2004":                                                   "Apache-2.0",
		"Permission is hereby granted, free of charge, to any person obtaining a\ncopy of this software":                         "MIT",
		"Redistribution and use in source and binary forms, with or without modification\n\nNeither the name of Google Inc. nor": "BSD-3-Clause",
		"Redistribution and use in source and binary forms, with or without modification":                                        "BSD-2-Clause",
		"GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3":                                                                           "",
		"All rights reserved.": "",
	} {
		got, err := licenceOf(module{path: "example.com/m", texts: []text{{"LICENSE", terms}}})
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%.40q: got %q, %v, want %q", terms, got, err, want)
		}
	}
	if _, err := licenceOf(module{path: "example.com/m", texts: []text{{"NOTICE", "Apache License Version 2.0"}}}); err == nil {
		t.Error("a module without a licence was accepted")
	}
}

func TestSecurity_ExpiresWithinAYear(t *testing.T) {
	r := built(t, "security")
	fields := map[string]string{}
	for line := range strings.Lines(string(read(t, filepath.Join(r.out, "security.txt")))) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && !strings.HasPrefix(line, "#") {
			fields[name] = value
		}
	}
	expires, err := time.Parse(time.RFC3339, fields["Expires"])
	if err != nil || !expires.After(r.date.AddDate(0, 6, 0)) || !expires.Before(r.date.AddDate(1, 0, 0)) {
		t.Errorf("got Expires %q, %v", fields["Expires"], err)
	}
	if fields["Contact"] != r.contact {
		t.Errorf("got Contact %q", fields["Contact"])
	}
	for contact, right := range map[string]bool{
		"": true, "mailto:security@example.com": true, "https://example.com/report": true,
		"security@example.com": false, "http://example.com": false, "https:": false, "mailto:": false, "javascript:alert(1)": false, "https://example.com\nContact: https://attacker.example": false,
	} {
		if err := checkContact(contact); (err == nil) != right {
			t.Errorf("%q: got %v", contact, err)
		}
	}
}

func TestReact_PackageHasTheVersionAndNothingElse(t *testing.T) {
	r := built(t, "react")
	compressed, err := gzip.NewReader(bytes.NewReader(read(t, filepath.Join(r.out, "signet-react-"+r.version+".tgz"))))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if header.Mode&0o777 != 0o644 {
			t.Errorf("%s has mode %o", header.Name, header.Mode)
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
	var described struct{ Name, Version string }
	if err := json.Unmarshal(files["package/package.json"], &described); err != nil || described.Name != "@signet/react" || described.Version != r.version {
		t.Errorf("got %+v, %v", described, err)
	}
	for _, name := range []string{"package/dist/index.js", "package/dist/index.d.ts", "package/dist/server.js", "package/LICENSE", "package/README.md"} {
		if len(files[name]) == 0 {
			t.Errorf("the package lacks %s", name)
		}
	}
	for name := range files {
		if strings.HasPrefix(name, "package/test") || strings.HasPrefix(name, "package/src") || strings.Contains(name, "node_modules") {
			t.Errorf("the package contains %s", name)
		}
	}
}

func TestPrevious_IsTheCommitThatSetTheOtherVersion(t *testing.T) {
	clone := newClone(t)
	write(t, clone, "before", "text")
	commit(t, clone)
	setVersion(t, clone, "0.1.0")
	if _, _, err := previousCommit(t.Context(), clone); !errors.Is(err, errFirst) {
		t.Errorf("first version: got %v", err)
	}
	first := output(t, clone, "git", "rev-parse", "HEAD")
	write(t, clone, "later", "text")
	commit(t, clone)
	for _, step := range []struct{ version, wantVersion, wantCommit string }{
		{"0.2.0", "0.1.0", first},
		{"0.2.0\n", "0.1.0", first}, // the same version, written in another way
		{"0.3.0", "0.2.0", ""},
	} {
		setVersion(t, clone, step.version)
		write(t, clone, "work on "+step.version, "text")
		commit(t, clone)
		got, version, err := previousCommit(t.Context(), clone)
		if err != nil || version != step.wantVersion || step.wantCommit != "" && got != step.wantCommit {
			t.Errorf("%q: got %s %s, %v", step.version, version, got, err)
		}
	}
	shallow := filepath.Join(t.TempDir(), "shallow")
	output(t, "", "git", "clone", "-q", "--depth", "1", "file://"+clone, shallow)
	if _, _, err := previousCommit(t.Context(), shallow); !errors.Is(err, errShallow) {
		t.Errorf("shallow clone: got %v", err)
	}
}

// A clone of this repository gets another version, and then builds the one that it had before.
func TestPrevious_IsBuiltFromAClone(t *testing.T) {
	root := output(t, "", "git", "-c", "safe.directory=*", "rev-parse", "--show-toplevel")
	clone := filepath.Join(t.TempDir(), "clone")
	output(t, "", "git", "-c", "safe.directory=*", "clone", "-q", root, clone)
	before := strings.TrimSpace(string(read(t, filepath.Join(clone, "VERSION"))))
	released := output(t, clone, "git", "log", "-1", "--format=%H", "--", "VERSION")
	setVersion(t, clone, "99.0.0")

	program := filepath.Join(t.TempDir(), "previous")
	version, err := buildPrevious(t.Context(), clone, program, target{os: "linux", arch: "amd64"}, os.Stderr)
	if err != nil || version != before {
		t.Fatalf("got %s, %v, want %s", version, err, before)
	}
	if got := versionOf(t, program); got.Commit != released {
		t.Errorf("got %+v, want the commit %s", got, released)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
