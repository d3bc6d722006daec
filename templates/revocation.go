package templates

import (
	"time"

	"signet/templates/words"
)

// KeyConsequences are the facts about a key that is about to be revoked. The command line
// and the page show the same sentences about them.
type KeyConsequences struct {
	Line      string    // an algorithm, or internalLine
	State     string    // next, active, retired or gone
	NextSince time.Time // when the line's next key was published; zero: there is no next key
}

// internalLine is the line of secrets that are never published.
const internalLine = "internal"

// Damage says which tokens stop working.
func (c KeyConsequences) Damage() words.Sentence {
	switch {
	case c.State == "next":
		return words.Say("key-consequence.unused")
	case c.Line == internalLine:
		return words.Say("key-consequence.secrets")
	case c.State == "gone":
		return words.Say("key-consequence.old")
	}
	return words.Say("key-consequence.tokens")
}

// Succession says which key replaces it; zero if none has to. stamp formats a time.
func (c KeyConsequences) Succession(stamp func(time.Time) string) words.Sentence {
	switch {
	case c.State != "active":
		return words.Sentence{}
	case c.NextSince.IsZero():
		return words.Say("key-consequence.no-next")
	case c.Line == internalLine:
		return words.Say("key-consequence.next-internal")
	}
	return words.Say("key-consequence.next", "Since", stamp(c.NextSince))
}

// KeyAftermath are the facts about a key that was revoked. Unknown times are zero.
type KeyAftermath struct {
	KeyID           string
	Line            string    // an algorithm, or internalLine
	Reason          string    // in the operator's words
	Was             string    // state before the revocation
	Successor       string    // kid of the key that signs in its place; "" if none does
	SuccessorSince  time.Time // when the successor was published
	SuccessorUnseen bool      // the revocation made the successor: nobody can have seen it before
	CachedUntil     time.Time // when relying parties that follow Cache-Control stop accepting the key
	LastTokenExpiry time.Time // when the last token expires that was signed before the revocation
	InModule        bool      // the private half still has to be destroyed in the PKCS #11 token
}

// Sentences describe the effects of the revocation, the most important first. stamp formats
// a time.
func (a KeyAftermath) Sentences(stamp func(time.Time) string) []words.Sentence {
	sentences := []words.Sentence{words.Say("key-aftermath.revoked", "Line", a.Line, "Key", a.KeyID)}
	add := func(s words.Sentence) { sentences = append(sentences, s) }
	switch {
	case a.Was != "active":
	case a.Successor == "":
		add(words.Say("key-aftermath.no-successor"))
	case a.Line == internalLine:
		add(words.Say("key-aftermath.secret", "Successor", a.Successor))
	case a.SuccessorUnseen:
		add(words.Say("key-aftermath.unseen", "Successor", a.Successor))
	default:
		add(words.Say("key-aftermath.seen", "Successor", a.Successor, "Since", stamp(a.SuccessorSince)))
	}
	if a.Was == "next" {
		add(words.Say("key-aftermath.unused"))
	} else if !a.CachedUntil.IsZero() {
		add(words.Say("key-aftermath.cached", "Until", stamp(a.CachedUntil)))
	}
	if !a.LastTokenExpiry.IsZero() {
		add(words.Say("key-aftermath.expired", "Until", stamp(a.LastTokenExpiry)))
	}
	if a.InModule {
		add(words.Say("key-aftermath.in-module"))
	}
	return sentences
}
