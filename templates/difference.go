package templates

import (
	"slices"

	"signet/templates/words"
)

// comparison is a Difference as the page shows it.
type comparison struct {
	Label      string
	Received   []part
	Registered [][]part
	Note       words.Sentence // the difference; zero if there is none
}

// part is a piece of a value. A part that differs and is empty marks the place
// where something is missing.
type part struct {
	Text    string
	Differs bool
}

// compare marks in each registered value what the received one has otherwise, and
// in the received one what differs from the nearest of them. A received value that
// is registered has no difference, and nothing is marked in it.
func compare(d Difference) comparison {
	received := spelled(d.Received)
	c := comparison{Label: text(d.Label), Received: []part{{Text: string(received)}}}
	if len(d.Registered) == 0 {
		c.Note = words.Say("error.none-registered")
		return c
	}
	nearest := -1
	for _, value := range d.Registered {
		registered := spelled(value)
		if slices.Equal(received, registered) {
			return comparison{Label: c.Label, Received: c.Received, Registered: [][]part{c.Received}}
		}
		before, after := shared(received, registered)
		c.Registered = append(c.Registered, split(registered, before, after))
		if before+after > nearest {
			nearest = before + after
			c.Received = split(received, before, after)
			c.Note = explain(middle(received, before, after), middle(registered, before, after))
		}
	}
	return c
}

// spelled shows out what cannot be seen, so that a difference in it can.
func spelled(s string) []rune { return []rune(cut(escaped(s), 2*textLength)) }

// shared counts the runes that both have at the beginning and at the end, none of
// them twice.
func shared(a, b []rune) (before, after int) {
	shorter := min(len(a), len(b))
	for before < shorter && a[before] == b[before] {
		before++
	}
	for after < shorter-before && a[len(a)-1-after] == b[len(b)-1-after] {
		after++
	}
	return before, after
}

func middle(s []rune, before, after int) string { return string(s[before : len(s)-after]) }

func split(s []rune, before, after int) []part {
	parts := []part{
		{Text: string(s[:before])},
		{Text: middle(s, before, after), Differs: true},
		{Text: string(s[len(s)-after:])},
	}
	return slices.DeleteFunc(parts, func(p part) bool { return p.Text == "" && !p.Differs })
}

// explain says in a sentence what differs.
func explain(received, registered string) words.Sentence {
	received, registered = cut(received, nameLength), cut(registered, nameLength)
	switch {
	case received == "":
		return words.Say("error.missing", "Registered", registered)
	case registered == "":
		return words.Say("error.too-much", "Received", received)
	}
	return words.Say("error.instead", "Received", received, "Registered", registered)
}
