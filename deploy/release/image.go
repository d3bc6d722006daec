package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// imageUser is the number of the user and of the group signet in images. Kubernetes wants a
// number for runAsNonRoot.
const imageUser = 65532

// images writes both images: as OCI layouts, for registries and Podman, and in the format of
// docker save, for docker load.
func (r *release) images(ctx context.Context) error {
	var scratch []v1.Image
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := r.scratchImage(ctx, target{os: "linux", arch: arch})
		if err != nil {
			return err
		}
		scratch = append(scratch, image)
		if err := r.writeDocker("scratch", arch, image); err != nil {
			return err
		}
	}
	if err := r.writeLayout("scratch", scratch); err != nil {
		return err
	}
	image, err := r.debianImage(ctx)
	if err != nil {
		return err
	}
	return errors.Join(r.writeDocker("debian", "amd64", image), r.writeLayout("debian", []v1.Image{image}))
}

// scratchImage returns the image that contains nothing but a static program and its data: the
// certificate authorities. The program contains the time zones.
func (r *release) scratchImage(ctx context.Context, t target) (v1.Image, error) {
	program, err := r.programFiles(ctx, t)
	if err != nil {
		return nil, err
	}
	authorities, err := r.authorities(ctx)
	if err != nil {
		return nil, err
	}
	base := slices.Concat(userFiles(), authorities, []entry{{name: "tmp/", mode: 0o1777}})
	return r.image(t, "Signet on nothing: the static program and the certificate authorities", base, program)
}

// debianImage returns the image with the fast program, the C library and OpenSSL of Debian.
func (r *release) debianImage(ctx context.Context) (v1.Image, error) {
	program, err := r.programFiles(ctx, fastTarget)
	if err != nil {
		return nil, err
	}
	base, err := r.debianBase(ctx)
	if err != nil {
		return nil, err
	}
	built, err := r.program(ctx, fastTarget)
	if err != nil {
		return nil, err
	}
	needed, err := glibcOf(built)
	if err != nil {
		return nil, err
	}
	if err := checkGlibc(ctx, base.packages, needed); err != nil {
		return nil, err
	}
	return r.image(fastTarget, "Signet on Debian's C library and OpenSSL: the fast program", slices.Concat(base.files, userFiles()), program)
}

// programFiles are the files of the upper layer, and the folder of the data.
func (r *release) programFiles(ctx context.Context, t target) ([]entry, error) {
	program, err := r.program(ctx, t)
	if err != nil {
		return nil, err
	}
	notices, err := r.notices(ctx)
	if err != nil {
		return nil, err
	}
	return []entry{
		{name: "usr/bin/signet", from: program, mode: 0o755},
		{name: "usr/share/doc/signet/LICENSE", from: filepath.Join(r.source, "LICENSE"), mode: 0o644},
		{name: "usr/share/doc/signet/NOTICE", from: filepath.Join(r.source, "NOTICE"), mode: 0o644},
		{name: "usr/share/doc/signet/NOTICES", content: notices, mode: 0o644},
		{name: "data/", mode: 0o700, owner: imageUser},
	}, nil
}

// userFiles make the user known by name.
func userFiles() []entry {
	return []entry{
		{name: "etc/passwd", content: fmt.Appendf(nil, "root:x:0:0:root:/root:/sbin/nologin\nsignet:x:%d:%[1]d:signet:/data:/sbin/nologin\n", imageUser), mode: 0o644},
		{name: "etc/group", content: fmt.Appendf(nil, "root:x:0:\nsignet:x:%d:\n", imageUser), mode: 0o644},
		{name: "etc/nsswitch.conf", content: []byte("passwd: files\ngroup: files\nhosts: files dns\n"), mode: 0o644},
	}
}

// image returns an image with two layers: one that rarely changes, and the program.
func (r *release) image(t target, description string, base, program []entry) (v1.Image, error) {
	image := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	config := &v1.ConfigFile{
		Architecture: t.arch, OS: t.os, Created: v1.Time{Time: r.date},
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User:         fmt.Sprintf("%d:%[1]d", imageUser),
			ExposedPorts: map[string]struct{}{"8080/tcp": {}},
			Env:          []string{"PATH=/usr/bin", "SIGNET_DATA_DIR=/data", "SIGNET_LISTEN=0.0.0.0:8080"},
			Entrypoint:   []string{"signet"},
			Cmd:          []string{"serve"},
			Volumes:      map[string]struct{}{"/data": {}},
			WorkingDir:   "/data",
			StopSignal:   "SIGTERM",
			// Docker runs this check. Kubernetes has probes of its own.
			Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "/usr/bin/signet", "health"}, Interval: 30 * time.Second, Timeout: 10 * time.Second, StartPeriod: 30 * time.Second, Retries: 3},
			Labels: map[string]string{
				"org.opencontainers.image.title":       "Signet",
				"org.opencontainers.image.description": description,
				"org.opencontainers.image.version":     r.version,
				"org.opencontainers.image.revision":    r.commit,
				"org.opencontainers.image.created":     r.date.Format(time.RFC3339),
				"org.opencontainers.image.licenses":    "Apache-2.0",
			},
		},
	}
	if t.arch == "arm64" {
		config.Variant = "v8"
	}
	image, err := mutate.ConfigFile(image, config)
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		files []entry
		by    string
	}{{base, "base"}, {program, "signet " + r.version}} {
		var content bytes.Buffer
		if err := writeTar(&content, withFolders(part.files), r.date); err != nil {
			return nil, err
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil }, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return nil, err
		}
		image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: r.date}, CreatedBy: part.by}})
		if err != nil {
			return nil, err
		}
	}
	return image, nil
}

// withFolders adds the folders of all files, and sorts them so that a folder comes before its
// content.
func withFolders(files []entry) []entry {
	known := map[string]bool{}
	for _, f := range files {
		known[strings.TrimSuffix(f.name, "/")] = true
	}
	all := slices.Clone(files)
	for _, f := range files {
		for parent := filepath.Dir(strings.TrimSuffix(f.name, "/")); parent != "." && !known[parent]; parent = filepath.Dir(parent) {
			known[parent] = true
			all = append(all, entry{name: parent + "/", mode: 0o755})
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return all
}

// tag is the name of an image after docker load.
func (r *release) tag(kind string) string { return "signet:" + r.version + "-" + kind }

// writeDocker writes an image in the format of docker save.
func (r *release) writeDocker(kind, arch string, image v1.Image) error {
	tag, err := name.NewTag(r.tag(kind))
	if err != nil {
		return err
	}
	return r.create("signet-"+r.version+"-"+kind+"-"+arch+".docker.tar", func(w io.Writer) error {
		return tarball.Write(tag, image, w)
	})
}

// writeLayout writes an archive of an OCI layout. Several images are one index of platforms.
func (r *release) writeLayout(kind string, images []v1.Image) error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, image := range images {
		config, err := image.ConfigFile()
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: config.Platform()}})
	}
	folder := filepath.Join(r.work, "layout-"+kind)
	written, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	name := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": r.version + "-" + kind})
	if err := written.AppendIndex(index, name); err != nil {
		return err
	}
	var files []entry
	if err := filepath.WalkDir(folder, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		inside, err := filepath.Rel(folder, file)
		files = append(files, entry{name: filepath.ToSlash(inside), from: file, mode: 0o644})
		return err
	}); err != nil {
		return err
	}
	return r.create("signet-"+r.version+"-"+kind+".oci.tar", func(w io.Writer) error {
		return writeTar(w, files, r.date)
	})
}
