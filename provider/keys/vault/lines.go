package vault

import (
	"fmt"
	"maps"
	"slices"

	"signet/storage"
)

// known lists the algorithms that tokens can be signed with. Every installation signs
// with the first two.
var known = []*algorithm{&es256, &rs256, &edDSA, &ps256}

// algorithms holds them by name. A published line has the name of its algorithm.
var algorithms = func() map[string]*algorithm {
	byName := map[string]*algorithm{}
	for _, a := range known {
		byName[a.name] = a
	}
	return byName
}()

// SigningAlgorithms lists the names of the algorithms that tokens can be signed with
// (RFC 7518, section 3.1, and RFC 8037).
func SigningAlgorithms() []string {
	var names []string
	for _, a := range known {
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

// PublishedLines checks the names of the algorithms that are configured; none stands
// for ES256 and RS256.
func PublishedLines(names []string) ([]string, error) {
	if len(names) == 0 {
		return DefaultAlgorithms(), nil
	}
	for i, name := range names {
		if algorithms[name] == nil {
			return nil, fmt.Errorf("unknown signing algorithm %q: use one of %v", name, slices.Sorted(maps.Keys(algorithms)))
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("signing algorithm %q is named twice", name)
		}
	}
	return slices.Clone(names), nil
}
