package node

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/provider/keys/pkcs11"
	"signet/provider/keys/vault"
	"signet/storage"
)

// VaultConfig says by which master key the private keys are sealed, and in which
// PKCS #11 module new ones are made.
func VaultConfig(ctx context.Context, c config.Config, db *storage.DB) (vault.Config, error) {
	module, err := openModule(c.PKCS11)
	if err != nil {
		return vault.Config{}, err
	}
	return vaultConfig(ctx, c, db, module)
}

// vaultConfig is VaultConfig with a module that is open already, or nil.
func vaultConfig(ctx context.Context, c config.Config, db *storage.DB, module vault.Module) (vault.Config, error) {
	key, err := masterKey(ctx, c, db)
	if err != nil {
		return vault.Config{}, err
	}
	return vault.Config{
		Master: key, Masters: func() ([][32]byte, error) { return masterKeys(c) }, Module: module, InModule: c.InModule,
	}, nil
}

// openModule gives the PKCS #11 module that the settings name, or nil.
func openModule(c config.PKCS11) (vault.Module, error) {
	if c.Module == "" {
		return nil, nil
	}
	module, err := pkcs11.New(pkcs11.Config{Module: c.Module, Token: c.Token, PIN: c.PIN.Reveal()})
	if err != nil {
		return nil, exit.New(exit.Config, err, "set keys.pkcs11.module to the file of a PKCS #11 module for this machine")
	}
	return module, nil
}

// masterKey gives the key that seals the private keys: the setting, or the file.
// The file is made only while the database holds no key yet. Later it can only be
// lost or in another place, and a new one would open nothing.
func masterKey(ctx context.Context, c config.Config, db *storage.DB) ([32]byte, error) {
	key, err := readMasterKey(c)
	if !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	name := filepath.Join(c.DataDir, MasterKeyFile)
	text, err := makeMasterKey(ctx, c, db, name)
	if err != nil {
		return [32]byte{}, err
	}
	return parseMasterKeyFile(name, text)
}

// readMasterKey gives the key of the setting, or of its file. os.ErrNotExist: there is
// neither.
func readMasterKey(c config.Config) ([32]byte, error) {
	if c.Master.Key.Reveal() != "" {
		return config.ParseMasterKey(c.Master.Key.Reveal())
	}
	name := filepath.Join(c.DataDir, MasterKeyFile)
	text, err := ReadPrivate(name)
	if err != nil {
		return [32]byte{}, err
	}
	return parseMasterKeyFile(name, text)
}

func parseMasterKeyFile(name, text string) ([32]byte, error) {
	key, err := config.ParseMasterKey(text)
	if err != nil {
		return key, exit.New(exit.Config, fmt.Errorf("%s %w", name, err), "put back the file from your backup, or set master_key")
	}
	return key, nil
}

// masterKeys gives the master keys that count now: the one in use and, after it,
// the one that a rewrap moves to, if there is one. It may be asked at any moment of a
// rewrap: the next one is read first, since it takes the place of the other.
func masterKeys(c config.Config) ([][32]byte, error) {
	next, isNext, err := nextMasterKey(c)
	if err != nil {
		return nil, err
	}
	text := c.Master.Key.Reveal()
	if text == "" {
		if text, err = ReadPrivate(filepath.Join(c.DataDir, MasterKeyFile)); err != nil {
			return nil, err
		}
	}
	current, err := config.ParseMasterKey(text)
	if err != nil {
		return nil, exit.New(exit.Config, fmt.Errorf("the master key %w", err), "put it back from your backup")
	}
	if !isNext || next == current {
		return [][32]byte{current}, nil
	}
	return [][32]byte{current, next}, nil
}

func nextMasterKey(c config.Config) (key [32]byte, is bool, err error) {
	text := c.Master.Next.Reveal()
	if text == "" && c.Master.Key.Reveal() == "" {
		text, err = ReadPrivate(filepath.Join(c.DataDir, NextMasterFile))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err != nil || text == "" {
		return key, false, err
	}
	if key, err = config.ParseMasterKey(text); err != nil {
		return key, false, exit.New(exit.Config, fmt.Errorf("the next master key %w", err), "remove "+NextMasterFile+" and start the rewrap again")
	}
	return key, true, nil
}

func makeMasterKey(ctx context.Context, c config.Config, db *storage.DB, name string) (string, error) {
	keys, err := db.Keys(ctx)
	if err != nil {
		return "", fmt.Errorf("look for keys: %w", err)
	}
	if len(keys) > 0 {
		return "", errMasterKeyGone(name)
	}
	if err := MakeDataDir(c.DataDir); err != nil {
		return "", err
	}
	return KeepPrivate(name, NewMasterKey())
}

// errMasterKeyGone refuses to make a master key beside keys that were sealed by another.
func errMasterKeyGone(name string) error {
	return exit.New(
		exit.Config,
		fmt.Errorf("the database holds keys, but their master key is missing: there is no %s and master_key is not set", name),
		"put the file back from your backup, or set SIGNET_MASTER_KEY; nothing was changed",
	)
}

// NewMasterKey draws a master key, and writes it as its file has it.
func NewMasterKey() string {
	var key [32]byte
	rand.Read(key[:])
	return base64.StdEncoding.EncodeToString(key[:])
}
