package credential

import (
	"cmp"
	_ "embed"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"signet/federation/foreign"
	"signet/storage"
	"signet/templates/words"
)

// normalizeNew checks a new password and returns its normalized form. It requires a minimum
// length and refuses passwords that attackers try first. It does not require kinds of
// characters (NIST SP 800-63B, section 5.1.1.2). ErrWeak: the text says which rule the
// password breaks, and does not repeat the password.
//
// Passwords are folded before they are compared: letter case, accents, invisible characters
// and compatibility forms are ignored, as are digits and signs around a word. Spaces are
// ignored too, except for the comparison with common passwords: several common words
// together may be a good password.
func (p *Passwords) normalizeNew(typed string, user storage.User) (string, error) {
	password, ok := normalize(typed)
	folded := fold(password)
	unspaced := strings.ReplaceAll(folded, " ", "")
	switch {
	case !ok:
		return "", weakError(words.Say("weak-password.too-long", "Count", maxLength), "use at most %d characters, and only text", maxLength)
	case password != "" && unspaced == "":
		return "", weakError(words.Say("weak-password.blank"), "use visible characters, not only spaces")
	case countVisible(password) < p.minLength:
		return "", weakError(words.Say("weak-password.too-short", "Count", p.minLength), "use at least %d characters", p.minLength)
	case isRepetitive(unspaced):
		return "", weakError(words.Say("weak-password.repetitive"), "do not only repeat a few characters, nor use a sequence")
	case consistsOf(folded, wordsOfAddress(user)):
		return "", weakError(words.Say("weak-password.address"), "do not use the email address or a part of it")
	case consistsOf(folded, wordsOfName(user)):
		return "", weakError(words.Say("weak-password.name"), "do not use the name of the user")
	case consistsOf(folded, p.serviceWords):
		return "", weakError(words.Say("weak-password.service"), "do not use the name of this service")
	case isCommon(folded):
		return "", weakError(words.Say("weak-password.common"), "it is one of the first that attackers try: choose another one")
	}
	return password, nil
}

// ruleError is an ErrWeak with the rule that the password breaks: a sentence for the form,
// and the text of the error for the command line and the log.
type ruleError struct {
	error
	sentence words.Sentence
}

// Unwrap returns the error without the sentence.
func (e *ruleError) Unwrap() error { return e.error }

func weakError(sentence words.Sentence, format string, args ...any) error {
	return &ruleError{fmt.Errorf("%w: "+format, append([]any{ErrWeak}, args...)...), sentence}
}

// isInvisible reports whether a character is invisible. Such characters do not count for the
// length of a password.
func isInvisible(r rune) bool {
	return foreign.IsHidden(r) || unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// countVisible counts the visible characters and the spaces.
func countVisible(password string) int {
	n := 0
	for _, r := range password {
		if !isInvisible(r) {
			n++
		}
	}
	return n
}

// fold returns the form of a text for comparisons. It turns all white space into plain
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

// maxRepeatedUnit is the length, in characters, up to which repetitions of a text are refused
// as a password.
const maxRepeatedUnit = 3

// isRepetitive reports whether a folded text repeats one to three characters, or is a
// sequence such as abcdef or 987654.
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

// consistsOf reports whether a folded text is made of one or more of the words. Digits and
// signs between and around them are ignored.
func consistsOf(folded string, words []string) bool {
	var pairs []string
	for _, word := range words {
		pairs = append(pairs, word, "\x00")
	}
	rest := strings.NewReplacer(pairs...).Replace(lettersAndDigits(folded))
	return strings.ContainsRune(rest, 0) && !strings.ContainsFunc(rest, unicode.IsLetter)
}

// lettersAndDigits removes all other characters.
func lettersAndDigits(folded string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, folded)
}

// minWordLength is the shortest word that counts, in characters. Words of two letters occur
// in too many passwords.
const minWordLength = 3

// wordsOf returns the texts and the words in them, folded and with the longest first, as
// consistsOf needs them.
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

// wordsOfService returns the name of the program and the names in the issuer's URL.
func wordsOfService(issuer string) []string {
	u, err := url.Parse(issuer)
	if err != nil {
		return wordsOf("signet")
	}
	_, parent, _ := strings.Cut(u.Hostname(), ".")
	return wordsOf("signet", issuer, u.Host, u.Hostname(), parent)
}

// commonList contains the most common passwords and the words within them, because attackers
// try charlie2024 after charlie123: folded, sorted by bytes, one per line. Each has at least
// minCommonLength bytes. commonlist.go writes the list from the source that NOTICE names. It
// is searched as it is: a map would take several megabytes, and time at the first password.
//
//go:generate go run commonlist.go
//go:embed common.txt
var commonList string

// minCommonLength is the length of the shortest entry of commonList, in bytes.
const minCommonLength = 4

// isListed reports whether commonList contains the text.
func isListed(text string) bool {
	for from, to := 0, len(commonList); from < to; {
		middle := from + (to-from)/2
		start := from + strings.LastIndexByte(commonList[from:middle], '\n') + 1
		line, _, _ := strings.Cut(commonList[start:to], "\n")
		switch strings.Compare(line, text) {
		case 0:
			return true
		case -1:
			from = start + len(line) + 1
		default:
			to = start
		}
	}
	return false
}

// trimNonLetters removes the digits and signs around a folded password.
func trimNonLetters(folded string) string {
	return strings.TrimFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) })
}

// isCommon reports whether a folded password is a common one. It also compares the password
// without the digits and signs around it, its only word, and the text that it repeats.
func isCommon(folded string) bool {
	folded = strings.TrimSpace(folded)
	word := trimNonLetters(folded)
	return slices.ContainsFunc([]string{folded, word, unitOf(folded), unitOf(word), onlyWord(folded)}, isListed)
}

// onlyWord returns the word that a folded text repeats ("password password") or spells
// letter by letter ("p-a-s-s"), with spaces, digits and signs between. It returns "" if
// there are several different words, because together they may be a good password.
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

// unitOf returns the shortest part that makes the text when it is repeated.
func unitOf(text string) string {
	if text == "" {
		return ""
	}
	at := strings.Index((text + text)[1:], text) + 1
	return text[:at]
}
