package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"signet/cmd/signet/exit"
	"signet/federation"
	"signet/provider/keys/vault"
)

// PKCS11 says where new signing keys are made: nowhere but here while Module is "".
type PKCS11 struct {
	Module     string // file of the PKCS #11 module
	Token      string // label of the token
	PIN        federation.Secret
	Algorithms []string // whose new keys are made there; nil for all
}

// withPKCS11 makes a parser refuse what this build cannot do.
func withPKCS11[T any](parse func(string) (T, error)) func(string) (T, error) {
	return func(text string) (T, error) {
		if !pkcs11Built {
			var none T
			return none, errors.New("needs a program with PKCS #11, which this one was built without: go build -tags pkcs11 ./cmd/signet, with a C compiler")
		}
		return parse(text)
	}
}

func parseModule(file string) (string, error) {
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("names a file that cannot be read (%s)", plainCause(err))
	}
	return file, nil
}

// parseTokenLabel: a label is padded to 32 bytes with blanks.
func parseTokenLabel(text string) (string, error) {
	if text == "" || len(text) > 32 || strings.TrimRight(text, " ") != text {
		return "", errors.New("must be 1 to 32 bytes that do not end with a blank")
	}
	return text, nil
}

// parseInModule gives nil for all.
func parseInModule(text string) ([]string, error) {
	switch text {
	case "all":
		return nil, nil
	case "none":
		return []string{}, nil
	}
	names, err := parseAlgorithmNames(text)
	if err == nil && len(names) == 0 {
		err = errors.New("is empty: write all or none")
	}
	return names, err
}

// comparePKCS11: the settings of the token come together.
func (r *reader) comparePKCS11() {
	c := r.config.PKCS11
	for _, s := range []struct {
		key   string
		given bool
	}{{"keys.pkcs11.token", c.Token != ""}, {"keys.pkcs11.pin", c.PIN.Reveal() != ""}} {
		if s.given && c.Module == "" {
			r.complain(r.given[s.key].place, s.key, "is set without keys.pkcs11.module: set both, or neither")
		}
		if !s.given && c.Module != "" {
			r.complain(r.given["keys.pkcs11.module"].place, s.key, "is missing, and keys.pkcs11.module is set: set both, or neither")
		}
	}
	for _, name := range c.Algorithms {
		if !slices.Contains(r.config.Algorithms, name) {
			r.complain(r.given["keys.pkcs11.algorithms"].place, "keys.pkcs11.algorithms", "has %s, which is not one of keys.algorithms (%s)", name, strings.Join(r.config.Algorithms, ", "))
		}
	}
}

// inModule lists the algorithms whose new keys are made in the token.
func (c Config) inModule() []string {
	switch {
	case c.PKCS11.Module == "":
		return nil
	case c.PKCS11.Algorithms == nil:
		return c.Algorithms
	}
	return c.PKCS11.Algorithms
}

// module gives the PKCS #11 module that the settings name, or nil.
func (c Config) module() (vault.Module, error) {
	if c.PKCS11.Module == "" {
		return nil, nil
	}
	module, err := openPKCS11(c.PKCS11)
	if err != nil {
		return nil, exit.New(exit.Config, err, "set keys.pkcs11.module to the file of a PKCS #11 module for this machine")
	}
	return module, nil
}
