package main

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// CF-11: the images run as a user without rights, on a root that they cannot write.
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
