package credential

import (
	"cmp"
	_ "embed"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"signet/federation/foreign"
	"signet/storage"
)

// normalizeNew normalizes a password that may be set. It asks for length and for what
// attackers do not try first, not for kinds of characters (NIST SP 800-63B, section
// 5.1.1.2). ErrWeak says which rule failed; it does not repeat the password.
//
// For the comparisons a password is folded: letter case, accents, characters that show
// nothing and compatibility forms make no difference, nor do digits and signs before and
// behind a word. Blanks make none either, except in the list of the commonest, where they
// part words that are good together.
func (p *Passwords) normalizeNew(typed string, user storage.User) (string, error) {
	password, ok := normalize(typed)
	folded := fold(password)
	unspaced := strings.ReplaceAll(folded, " ", "")
	switch {
	case !ok:
		return "", weakError("use at most %d characters, all of them text", maxLength)
	case password != "" && unspaced == "":
		return "", weakError("use characters that can be seen, not blanks alone")
	case countVisible(password) < p.minLength:
		return "", weakError("use at least %d characters", p.minLength)
	case isRepetitive(unspaced):
		return "", weakError("use more than the same few characters again and again")
	case consistsOf(folded, wordsOfAddress(user)):
		return "", weakError("choose one that is not the e-mail address or a part of it")
	case consistsOf(folded, wordsOfName(user)):
		return "", weakError("choose one that is not the name of the person")
	case consistsOf(folded, p.serviceWords):
		return "", weakError("choose one that is not the name of this service")
	case isCommon(folded):
		return "", weakError("it is among the first that attackers try, choose another")
	}
	return password, nil
}

func weakError(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrWeak}, args...)...)
}

// isInvisible reports the characters that no reader sees: they make no password longer.
func isInvisible(r rune) bool {
	return foreign.IsHidden(r) || unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// countVisible counts characters, blanks included, without those that show nothing.
func countVisible(password string) int {
	n := 0
	for _, r := range password {
		if !isInvisible(r) {
			n++
		}
	}
	return n
}

// fold gives the form in which passwords are compared with words. It keeps blanks, as
// spaces.
func fold(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsMark(r) || isInvisible(r):
			return -1
		}
		return r
	}, norm.NFKD.String(cases.Fold().String(norm.NFKD.String(text))))
}

// maxRepeatedUnit is how many characters may be repeated to make a password that is refused.
const maxRepeatedUnit = 3

// isRepetitive reports whether a folded text is one to three characters again and again, or a
// row of neighbours (abcdef…, 987…).
func isRepetitive(folded string) bool {
	runes := []rune(folded)
	if len(runes) < 2 {
		return true
	}
	for unit := 1; unit <= maxRepeatedUnit && unit < len(runes); unit++ {
		if slices.Equal(runes[unit:], runes[:len(runes)-unit]) {
			return true
		}
	}
	step := runes[1] - runes[0]
	for i := 1; i < len(runes); i++ {
		if runes[i]-runes[i-1] != step {
			return false
		}
	}
	return step == 1 || step == -1
}

// consistsOf reports whether a folded text is nothing but some of the words, with digits and
// signs between and around them.
func consistsOf(folded string, words []string) bool {
	var pairs []string
	for _, word := range words {
		pairs = append(pairs, word, "\x00")
	}
	rest := strings.NewReplacer(pairs...).Replace(lettersAndDigits(folded))
	return strings.ContainsRune(rest, 0) && !strings.ContainsFunc(rest, unicode.IsLetter)
}

// lettersAndDigits keeps letters and digits.
func lettersAndDigits(folded string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, folded)
}

// minWordLength is the length from which on a word counts: two letters are in many words.
const minWordLength = 3

// wordsOf gives the texts and the words that they have, folded, the longest first, as
// consistsOf takes them.
func wordsOf(texts ...string) []string {
	var words []string
	for _, text := range texts {
		parts := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
		for _, word := range append(parts, text) {
			if word = lettersAndDigits(fold(word)); utf8.RuneCountInString(word) >= minWordLength {
				words = append(words, word)
			}
		}
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return words
}

func wordsOfAddress(u storage.User) []string {
	local, domain, _ := strings.Cut(u.Email, "@")
	return wordsOf(u.Email, u.EmailCanonical, local, domain)
}

func wordsOfName(u storage.User) []string {
	return wordsOf(u.Name, u.GivenName, u.FamilyName, u.MiddleName, u.Nickname, u.PreferredUsername)
}

// wordsOfService are the program's name and those of the host that people know it by.
func wordsOfService(issuer string) []string {
	u, err := url.Parse(issuer)
	if err != nil {
		return wordsOf("signet")
	}
	_, parent, _ := strings.Cut(u.Hostname(), ".")
	return wordsOf("signet", issuer, u.Host, u.Hostname(), parent)
}

// commonList lists the commonest passwords of 8 characters and more, one per line, in
// lower case.
//
//go:embed common.txt
var commonList string

// minCommonLength is the length from which on the word within a common password counts.
const minCommonLength = 4

// commonPasswords holds the passwords of the list, folded, and the words within them: an
// attacker who has tried charlie123 tries charlie2024 next.
var commonPasswords = sync.OnceValue(func() map[string]struct{} {
	set := map[string]struct{}{}
	for line := range strings.Lines(commonList) {
		folded := fold(strings.TrimSpace(line))
		set[folded] = struct{}{}
		if word := trimNonLetters(folded); len(word) >= minCommonLength {
			set[word] = struct{}{}
		}
	}
	return set
})

// trimNonLetters is a folded password without the digits and signs around it.
func trimNonLetters(folded string) string {
	return strings.TrimFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) })
}

// isCommon looks for the folded password as it is, without the digits and signs around
// it, for its one word, and, where it is the same text twice or more, for that.
func isCommon(folded string) bool {
	folded = strings.TrimSpace(folded)
	word := trimNonLetters(folded)
	for _, candidate := range []string{folded, word, unitOf(folded), unitOf(word), onlyWord(folded)} {
		if _, found := commonPasswords()[candidate]; found {
			return true
		}
	}
	return false
}

// onlyWord gives the word that a folded text has again and again, or spells letter by
// letter, with blanks, digits and signs between ("password password", "p-a-s-s"). It is
// empty where there are several words, which may be good together.
func onlyWord(folded string) string {
	var words []string
	spelled := true
	for _, field := range strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if word := trimNonLetters(field); word != "" {
			words = append(words, word)
			spelled = spelled && utf8.RuneCountInString(word) == 1
		}
	}
	if spelled {
		return unitOf(strings.Join(words, ""))
	}
	if len(slices.Compact(slices.Clone(words))) == 1 {
		return words[0]
	}
	return ""
}

// unitOf gives the shortest text that a text is a repetition of.
func unitOf(text string) string {
	if text == "" {
		return ""
	}
	at := strings.Index((text + text)[1:], text) + 1
	return text[:at]
}
