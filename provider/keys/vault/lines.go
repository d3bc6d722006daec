package vault

import (
	"fmt"
	"maps"
	"slices"

	"signet/storage"
)

// supported lists the algorithms that can sign tokens. Every installation signs with the
// first two.
var supported = []*algorithm{&es256, &rs256, &edDSA, &ps256}

// algorithms maps names to algorithms. A published line has the name of its algorithm.
var algorithms = func() map[string]*algorithm {
	byName := map[string]*algorithm{}
	for _, a := range supported {
		byName[a.name] = a
	}
	return byName
}()

// SigningAlgorithms lists the names of the algorithms that can sign tokens (RFC 7518, section 3.1, and RFC 8037).
func SigningAlgorithms() []string {
	var names []string
	for _, a := range supported {
		names = append(names, a.name)
	}
	return names
}

// DefaultAlgorithms lists the algorithms that every installation signs with: ES256 for
// access tokens, and RS256 for the ID tokens of clients that name no algorithm (OIDC
// Dynamic Client Registration, section 2).
func DefaultAlgorithms() []string { return SigningAlgorithms()[:2:2] }

// Knows reports whether this program can make and use keys of a line.
func Knows(line string) bool { return line == storage.InternalLine || algorithms[line] != nil }

// PublishedLines checks the configured names of algorithms and returns a copy. An empty list
// means the default algorithms.
func PublishedLines(names []string) ([]string, error) {
	if len(names) == 0 {
		return DefaultAlgorithms(), nil
	}
	for i, name := range names {
		if algorithms[name] == nil {
			return nil, fmt.Errorf("unknown signing algorithm %q: use one of %v", name, slices.Sorted(maps.Keys(algorithms)))
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("signing algorithm %q is listed twice: remove one", name)
		}
	}
	return slices.Clone(names), nil
}
