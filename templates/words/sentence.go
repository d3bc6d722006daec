package words

import "fmt"

// Sentence is a sentence of the catalog with the values of its placeholders, in no
// language yet. The zero value is no sentence and gives the empty text.
//
// Sentences are comparable: two are equal if they have the same key and the same values in
// the same order.
type Sentence struct {
	key    string
	values [most]value // the unused ones at the end have no name
}

// most is how many placeholders a sentence may have.
const most = 5

// value is the value of one placeholder: a string, an int, a Sentence, or a Link.
type value struct {
	name  string
	value any
}

// Say returns the sentence with the key. Each pair is the name of a placeholder and its value:
// a string, an int, or another Sentence. Say panics if a name has no value. It does not check
// that the key exists; a test of this package checks that for all callers.
func Say(key string, pairs ...any) Sentence {
	s := Sentence{key: key}
	if len(pairs)%2 != 0 || len(pairs) > 2*most {
		panic(fmt.Sprintf("words: %s: a placeholder has no value, or there are more than %d", key, most))
	}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			panic(fmt.Sprintf("words: %s: the name of a placeholder is a %T, not a string", key, pairs[i]))
		}
		switch pairs[i+1].(type) {
		case string, int, Sentence, Link:
		default:
			panic(fmt.Sprintf("words: %s: the value of %s is a %T", key, name, pairs[i+1]))
		}
		s.values[i/2] = value{name, pairs[i+1]}
	}
	return s
}

// Key identifies the sentence in the catalog; "" for the zero value.
func (s Sentence) Key() string { return s.key }

// Or gives another sentence if there is none.
func (s Sentence) Or(other Sentence) Sentence {
	if s.IsZero() {
		return other
	}
	return s
}

// IsZero reports whether there is no sentence.
func (s Sentence) IsZero() bool { return s.key == "" }

// String gives the English text. Pages use Language.Text instead.
func (s Sentence) String() string {
	text, err := English().Text(s)
	if err != nil {
		return s.key // a test of this package finds it first
	}
	return text
}

// Link is the value of the placeholder "a": the element <a> of a sentence with markup
// leads there.
type Link struct {
	ID   string // of the element; "" for none
	Href string // checked by the caller
}
