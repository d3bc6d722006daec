package templates

import (
	"slices"

	"signet/templates/words"
)

// comparison is a Difference with the marks that the page shows.
type comparison struct {
	Label      string
	Received   []part // nil if nothing was received: the page has no row for it
	Registered [][]part
	Note       words.Sentence // the difference; zero if there is none
}

// part is a piece of a value. An empty part that differs marks the place of a missing text.
type part struct {
	Text    string
	Differs bool
}

// compare marks the differences in each registered value, and in the received value the
// differences from the most similar registered one. If the received value is registered,
// nothing is marked.
func compare(d Difference) comparison {
	received := spelled(d.Received)
	c := comparison{Label: text(d.Label)}
	if d.Received != "" {
		c.Received = []part{{Text: string(received)}}
	}
	if len(d.Registered) == 0 {
		c.Note = words.Say("error.none-registered")
		return c
	}
	if d.Received == "" { // the registered values are the news
		for _, value := range d.Registered {
			c.Registered = append(c.Registered, []part{{Text: string(spelled(value))}})
		}
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

// spelled writes hidden characters as escapes, so that differences in them are visible.
func spelled(s string) []rune { return []rune(cut(escaped(s), 2*textLength)) }

// shared counts the equal runes at the beginning and at the end. No rune counts twice.
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

// explain describes the difference in a sentence.
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
