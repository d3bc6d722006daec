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

	"signet/cmd/signet/exit"
	"signet/storage"
)

// The names of the files in the data directory: the master key, the one that a
// rewrap moves to while it is under way, and the one from before the last rewrap.
const (
	masterKeyFile    = "master.key"
	nextMasterFile   = "master.key.next"
	formerMasterFile = "master.key.old"
)

// makeDataDir makes the folder for this user alone, or checks that it is so.
func makeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return exit.New(exit.Config, fmt.Errorf("make data_dir %s: %s", dir, plainCause(err)), "make the folder yourself, or set data_dir to one that this user may write")
	}
	state, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at data_dir: %w", err)
	}
	if open := state.Mode().Perm() & 0o077; open != 0 {
		return exit.New(exit.Config, fmt.Errorf("data_dir %s can be entered by others (mode %04o)", dir, state.Mode().Perm()), "close it with: chmod 700 "+dir)
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
	at := c.storage()
	at.Log = log
	return storage.Open(ctx, at)
}

// storage tells where the settings keep the data.
func (c Config) storage() storage.Config {
	return storage.Config{DataDir: c.DataDir, Database: c.Database.Reveal()}
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
		return key, exit.New(exit.Config, fmt.Errorf("%s %w", name, err), "put back the file from your backup, or set master_key")
	}
	return key, nil
}

// masterKeys gives the master keys that count now: the one in use and, after it,
// the one that a rewrap moves to, if there is one. It may be asked at any moment of a
// rewrap: the next one is read first, since it takes the place of the other.
func masterKeys(c Config) ([][32]byte, error) {
	next, isNext, err := nextMasterKey(c)
	if err != nil {
		return nil, err
	}
	text := c.MasterKey.Reveal()
	if text == "" {
		if text, err = readPrivate(filepath.Join(c.DataDir, masterKeyFile)); err != nil {
			return nil, err
		}
	}
	current, err := parseMasterKey(text)
	if err != nil {
		return nil, exit.New(exit.Config, fmt.Errorf("the master key %w", err), "put it back from your backup")
	}
	if !isNext || next == current {
		return [][32]byte{current}, nil
	}
	return [][32]byte{current, next}, nil
}

func nextMasterKey(c Config) (key [32]byte, is bool, err error) {
	text := c.MasterKeyNext.Reveal()
	if text == "" && c.MasterKey.Reveal() == "" {
		text, err = readPrivate(filepath.Join(c.DataDir, nextMasterFile))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err != nil || text == "" {
		return key, false, err
	}
	if key, err = parseMasterKey(text); err != nil {
		return key, false, exit.New(exit.Config, fmt.Errorf("the next master key %w", err), "remove "+nextMasterFile+" and start the rewrap again")
	}
	return key, true, nil
}

func makeMasterKey(ctx context.Context, c Config, db *storage.DB, name string) (string, error) {
	keys, err := db.Keys(ctx)
	if err != nil {
		return "", fmt.Errorf("look for keys: %w", err)
	}
	if len(keys) > 0 {
		return "", exit.New(
			exit.Config,
			fmt.Errorf("the database holds keys, but their master key is missing: there is no %s and master_key is not set", name),
			"put the file back from your backup, or set SIGNET_MASTER_KEY; nothing was changed",
		)
	}
	if err := makeDataDir(c.DataDir); err != nil {
		return "", err
	}
	return keepPrivate(name, newMasterKey())
}

func newMasterKey() string {
	var key [32]byte
	rand.Read(key[:])
	return base64.StdEncoding.EncodeToString(key[:])
}

// readPrivate reads one line from a file that nobody else may read.
func readPrivate(name string) (string, error) {
	state, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if open := state.Mode().Perm() & 0o077; open != 0 {
		return "", exit.New(exit.Config, fmt.Errorf("%s can be read by others (mode %04o)", name, state.Mode().Perm()), "close it with: chmod 600 "+name)
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
