package vault

import (
	"fmt"
	"maps"
	"slices"

	"signet/storage"
)

// algorithms by name. A published line has the name of its algorithm.
var algorithms = map[string]*algorithm{
	es256.name: &es256,
	edDSA.name: &edDSA,
	ps256.name: &ps256,
	rs256.name: &rs256,
}

// Knows reports whether this program can make and use keys of a line.
func Knows(line string) bool { return line == storage.InternalLine || algorithms[line] != nil }

// PublishedLines checks the names of the algorithms that are configured; none stands
// for ES256 and RS256.
func PublishedLines(names []string) ([]string, error) {
	if len(names) == 0 {
		return []string{"ES256", "RS256"}, nil
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
