package foreign

import "slices"

// Distinct returns the different values of a list in the order of their first occurrence. If
// no value is repeated, it returns the list itself. It is for lists that are sets, such as
// scopes and audiences: an answer must not repeat a value because the request did.
func Distinct(list []string) []string {
	for i := range list {
		if slices.Contains(list[:i], list[i]) {
			return distinct(list, i)
		}
	}
	return list
}

// distinct copies the list without repeated values. The first repeated value is at i.
func distinct(list []string, i int) []string {
	unique := slices.Clone(list[:i])
	for _, value := range list[i+1:] {
		if !slices.Contains(unique, value) {
			unique = append(unique, value)
		}
	}
	return unique
}
