package foreign

import "slices"

// Distinct gives the values of a list once each, in the order in which they first stand;
// the list itself if none is repeated. Lists of scopes, audiences and the like are sets:
// an answer must not repeat a value because a caller did.
func Distinct(list []string) []string {
	for i := range list {
		if slices.Contains(list[:i], list[i]) {
			return distinct(list, i)
		}
	}
	return list
}

// distinct copies the list without its repeated values, of which the first stands at i.
func distinct(list []string, i int) []string {
	kept := slices.Clone(list[:i])
	for _, value := range list[i+1:] {
		if !slices.Contains(kept, value) {
			kept = append(kept, value)
		}
	}
	return kept
}
