package words

import "slices"

// Entry is a sentence as the catalog has it.
type Entry struct {
	Placeholders []string // sorted
	Markup       bool
	Forms        []string
}

// Catalog lists the sentences of a language.
func Catalog(l *Language) map[string]Entry {
	all := make(map[string]Entry, len(l.messages))
	for key, m := range l.messages {
		all[key] = Entry{slices.Sorted(slices.Values(m.placeholders)), m.markup, m.forms}
	}
	return all
}
