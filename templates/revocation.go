package templates

import (
	"fmt"
	"time"

	"signet/templates/words"
)

// KeyConsequences are the facts about a key that is about to be revoked. The command
// line and the page tell them with the same sentences.
type KeyConsequences struct {
	Line      string    // an algorithm, or internalLine
	State     string    // next, active, retired or gone
	NextSince time.Time // when the line's next key was published; zero: there is no next key
}

// internalLine is the line of secrets that are never published.
const internalLine = "internal"

// Damage says what stops working.
func (c KeyConsequences) Damage() words.Sentence {
	switch {
	case c.State == "next":
		return words.Unlisted("It has signed nothing: nobody will notice.")
	case c.Line == internalLine:
		return words.Unlisted("Refresh tokens and codes under it end, and sign-ins under way begin again. Sessions live on.")
	case c.State == "gone":
		return words.Unlisted("Its ID tokens no longer serve as id_token_hint.")
	}
	return words.Unlisted("Every access and ID token it has signed stops working; refresh tokens and sessions live on.")
}

// Succession says which key takes its place; "" if none has to. stamp formats a time.
func (c KeyConsequences) Succession(stamp func(time.Time) string) words.Sentence {
	switch {
	case c.State != "active":
		return words.Sentence{}
	case c.NextSince.IsZero():
		return words.Unlisted("There is no next key: a new one takes its place, and relying parties see it only when they read the JWKS again.")
	case c.Line == internalLine:
		return words.Unlisted("The next one takes its place at once.")
	}
	return words.Unlisted("The next key, published since " + stamp(c.NextSince) + ", signs in its place at once.")
}

// KeyAftermath are the facts about a key that was revoked. A time that does not come is
// zero.
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

// Sentences tell what the revocation did, the most important first. stamp formats a
// time.
func (a KeyAftermath) Sentences(stamp func(time.Time) string) []words.Sentence {
	told := []words.Sentence{words.Unlisted(fmt.Sprintf("The %s key %s is revoked: every server refuses it within a second.", a.Line, a.KeyID))}
	say := func(format string, args ...any) { told = append(told, words.Unlisted(fmt.Sprintf(format, args...))) }
	switch {
	case a.Was != "active":
	case a.Successor == "":
		say("Nothing takes its place until the module that holds the keys answers.")
	case a.Line == internalLine:
		say("The secret %s takes its place.", a.Successor)
	case a.SuccessorUnseen:
		say("The key %s signs from now on; there was no next key, so relying parties see it only when they read the JWKS again.", a.Successor)
	default:
		say("The key %s signs from now on; it has been published since %s.", a.Successor, stamp(a.SuccessorSince))
	}
	if a.Was == "next" {
		say("It had signed nothing: nobody will notice.")
	} else if !a.CachedUntil.IsZero() {
		say("Relying parties and APIs that check tokens by themselves take those of the revoked key until they read the JWKS again: "+
			"by %s where Cache-Control is followed, elsewhere when they meet a token of the new key or are restarted.", stamp(a.CachedUntil))
	}
	if !a.LastTokenExpiry.IsZero() {
		say("Tokens signed in good faith have all expired by %s; whoever has the key can make others with any date.", stamp(a.LastTokenExpiry))
	}
	if a.InModule {
		say("Its private half is still in the module; the servers destroy it as soon as the module answers.")
	}
	return told
}
