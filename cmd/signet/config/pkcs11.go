package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"signet/cmd/signet/exit"
	"signet/provider/keys/pkcs11"
)

// withPKCS11 makes a parser refuse what this build cannot do.
func withPKCS11[T any](parse func(string) (T, error)) func(string) (T, error) {
	return func(text string) (T, error) {
		if !pkcs11.Built {
			var none T
			return none, errors.New("needs a program with PKCS #11, which this one was built without: go build -tags pkcs11 ./cmd/signet, with a C compiler")
		}
		return parse(text)
	}
}

func parseModule(file string) (string, error) {
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("names %s, which cannot be read (%s)", file, exit.WithoutPath(err))
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
