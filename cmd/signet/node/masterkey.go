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

// VaultConfig returns the master key that seals the private keys, and the PKCS #11 module for
// new keys.
func VaultConfig(ctx context.Context, c config.Config, db *storage.DB) (vault.Config, error) {
	module, err := openModule(c.PKCS11)
	if err != nil {
		return vault.Config{}, err
	}
	return vaultConfig(ctx, c, db, module)
}

// vaultConfig is VaultConfig with an open module, or nil.
func vaultConfig(ctx context.Context, c config.Config, db *storage.DB, module vault.Module) (vault.Config, error) {
	key, err := masterKey(ctx, c, db)
	if err != nil {
		return vault.Config{}, err
	}
	return vault.Config{
		Master: key, Masters: func() ([][32]byte, error) { return masterKeys(c) }, Module: module, ModuleAlgorithms: c.ModuleAlgorithms,
	}, nil
}

// openModule returns the PKCS #11 module of the settings, or nil.
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

// masterKey returns the key that seals the private keys, from the setting or the file. It
// creates the file only while the database has no keys. Later a missing file is lost or in
// another place, and a new master key could not open the stored keys.
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

// readMasterKey returns the key of the setting or of its file. os.ErrNotExist: there is
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
		return key, exit.New(exit.Config, fmt.Errorf("%s %w", name, err), "restore the file from your backup, or set master_key")
	}
	return key, nil
}

// masterKeys returns the valid master keys: the current one, followed by the next one if a
// rewrap is under way. It may be called at any moment of a rewrap: it reads the next key first,
// because a rewrap ends by replacing the current key with it.
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
		return nil, exit.New(exit.Config, fmt.Errorf("the master key %w", err), "restore it from your backup")
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
	return StorePrivate(name, NewMasterKey())
}

// errMasterKeyGone is the error if the database has keys but their master key is missing.
func errMasterKeyGone(name string) error {
	return exit.New(
		exit.Config,
		fmt.Errorf("the database holds keys, but their master key is missing: there is no %s and master_key is not set", name),
		"restore the file from your backup, or set SIGNET_MASTER_KEY; nothing was changed",
	)
}

// NewMasterKey returns a random master key in the format of its file.
func NewMasterKey() string {
	var key [32]byte
	rand.Read(key[:])
	return base64.StdEncoding.EncodeToString(key[:])
}
