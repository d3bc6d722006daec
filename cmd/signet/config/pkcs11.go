package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"signet/cmd/signet/exit"
	"signet/provider/keys/pkcs11"
)

// withPKCS11 wraps a parser so that it returns an error in builds without PKCS #11.
func withPKCS11[T any](parse func(string) (T, error)) func(string) (T, error) {
	return func(text string) (T, error) {
		if !pkcs11.Built {
			var none T
			return none, errors.New("needs PKCS #11, which this program was built without: build it with a C compiler and go build -tags pkcs11 ./cmd/signet")
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

// parseTokenLabel parses the label of a token. PKCS #11 pads labels to 32 bytes with spaces,
// so a label must not end with one.
func parseTokenLabel(text string) (string, error) {
	if text == "" || len(text) > 32 || strings.TrimRight(text, " ") != text {
		return "", errors.New("must be 1 to 32 bytes and must not end with a space")
	}
	return text, nil
}

// parseInModule parses the algorithms of the keys that are made in the token. It returns nil for
// all.
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
