package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// react packs @signet/react.
func (r *release) react(ctx context.Context) error {
	sdk := filepath.Join(r.source, "sdk", "react")
	modules := filepath.Join(r.root, "sdk", "react", "node_modules")
	if _, err := os.Stat(modules); err != nil {
		return fmt.Errorf("%w: run make prepare-dist, or npm ci in sdk/react", err)
	}
	if err := os.Symlink(modules, filepath.Join(sdk, "node_modules")); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	packed := filepath.Join(r.work, "npm")
	if err := os.MkdirAll(packed, 0o755); err != nil {
		return err
	}
	// The script prepack of the package compiles it.
	c := exec.CommandContext(ctx, "npm", "pack", "--silent", "--pack-destination", packed)
	c.Dir, c.Stderr = sdk, r.talk
	c.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC", "SOURCE_DATE_EPOCH="+r.epoch(), "npm_config_update_notifier=false")
	if out, err := c.Output(); err != nil {
		return fmt.Errorf("npm pack: %w\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(packed, "*.tgz"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("npm pack wrote %q, want one file: %w", files, err)
	}
	if want := "signet-react-" + r.version + ".tgz"; filepath.Base(files[0]) != want {
		return fmt.Errorf("npm pack wrote %s, want %s: VERSION and sdk/react/package.json differ", strings.TrimPrefix(files[0], packed+"/"), want)
	}
	return move(files[0], filepath.Join(r.out, filepath.Base(files[0])))
}
