package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"signet/storage"
)

// masterKeyFile is the name of the file in the data directory.
const masterKeyFile = "master.key"

// makeDataDir makes the folder for this user alone, or checks that it is so.
func makeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &problem{exitConfig, fmt.Errorf("make data_dir %s: %s", dir, plainCause(err)), "make the folder yourself, or set data_dir to one that this user may write"}
	}
	state, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at data_dir: %w", err)
	}
	if open := state.Mode().Perm() & 0o077; open != 0 {
		return &problem{exitConfig, fmt.Errorf("data_dir %s can be entered by others (mode %04o)", dir, state.Mode().Perm()), "close it with: chmod 700 " + dir}
	}
	return nil
}

// openDatabase opens what the settings name.
// log, if not nil, gets the statements that fail.
func openDatabase(ctx context.Context, c Config, log *slog.Logger) (*storage.DB, error) {
	if c.Database.Reveal() == "" {
		if err := makeDataDir(c.DataDir); err != nil {
			return nil, err
		}
	}
	return storage.Open(ctx, storage.Config{DataDir: c.DataDir, Database: c.Database.Reveal(), Log: log})
}

// masterKey gives the key that seals the private keys: the setting, or the file.
// The file is made only while the database holds no key yet. Later it can only be
// lost or in another place, and a new one would open nothing.
func masterKey(ctx context.Context, c Config, db *storage.DB) ([32]byte, error) {
	if c.MasterKey.Reveal() != "" {
		return parseMasterKey(c.MasterKey.Reveal())
	}
	name := filepath.Join(c.DataDir, masterKeyFile)
	text, err := readPrivate(name)
	if errors.Is(err, os.ErrNotExist) {
		text, err = makeMasterKey(ctx, c, db, name)
	}
	if err != nil {
		return [32]byte{}, err
	}
	key, err := parseMasterKey(text)
	if err != nil {
		return key, &problem{exitConfig, fmt.Errorf("%s %w", name, err), "put back the file from your backup, or set master_key"}
	}
	return key, nil
}

func makeMasterKey(ctx context.Context, c Config, db *storage.DB, name string) (string, error) {
	keys, err := db.Keys(ctx)
	if err != nil {
		return "", fmt.Errorf("look for keys: %w", err)
	}
	if len(keys) > 0 {
		return "", &problem{
			exitConfig,
			fmt.Errorf("the database holds keys, but their master key is missing: there is no %s and master_key is not set", name),
			"put the file back from your backup, or set SIGNET_MASTER_KEY; nothing was changed",
		}
	}
	if err := makeDataDir(c.DataDir); err != nil {
		return "", err
	}
	var key [32]byte
	rand.Read(key[:])
	return keepPrivate(name, base64.StdEncoding.EncodeToString(key[:]))
}

// readPrivate reads one line from a file that nobody else may read.
func readPrivate(name string) (string, error) {
	state, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if open := state.Mode().Perm() & 0o077; open != 0 {
		return "", &problem{exitConfig, fmt.Errorf("%s can be read by others (mode %04o)", name, state.Mode().Perm()), "close it with: chmod 600 " + name}
	}
	content, err := os.ReadFile(name)
	return strings.TrimRight(string(content), "\r\n"), err
}

// keepPrivate writes one line to a new file of mode 0600, durably and as a whole,
// and gives the line. When another process was first, its line is given: the link
// succeeds for one of them.
func keepPrivate(name, line string) (string, error) {
	draft, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return "", fmt.Errorf("keep %s: %w", filepath.Base(name), err)
	}
	defer os.Remove(draft.Name())
	_, err = draft.WriteString(line + "\n")
	err = errors.Join(err, draft.Sync(), draft.Close())
	if err == nil {
		err = os.Link(draft.Name(), name)
	}
	if errors.Is(err, os.ErrExist) {
		return readPrivate(name)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(name))
	}
	if err != nil {
		return "", fmt.Errorf("keep %s: %w", filepath.Base(name), err)
	}
	return line, nil
}

// syncFolder makes the name of a new file survive a power cut.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
