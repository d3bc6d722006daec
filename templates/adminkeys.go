package templates

import "signet/templates/words"

// AdminKeys shows the life of the signing keys.
type AdminKeys struct {
	Admin
	Done         words.Sentence   // the change that was just made; zero: none
	Aftermath    []words.Sentence // consequences of the revocation that was just made
	Keys         []KeyRow
	Timeline     KeyTimeline
	NextRotation Moment // by the schedule; zero: there is no next key
	Readiness    KeyReadiness
}

func (AdminKeys) page() string { return "adminkeys.html" }

// KeyRow is one key. A time that does not apply is zero.
type KeyRow struct {
	ID, Algorithm, State string
	Created              Moment
	SignsFrom            Moment // of a next key, by the schedule
	SignsUntil           Moment // of an active key, by the schedule
	PublishedUntil       Moment
	LastSigned           Moment // of a retired key
	LastTokenExpiry      Moment
	Revoked              Moment
	Reason               string // of the revocation
	InModule             bool   // the private half is outside the database
}

// Internal reports whether the key is an internal secret, which is in no JWKS.
func (k KeyRow) Internal() bool { return k.Algorithm == internalLine }

// KeyReadiness lists the programs that read the JWKS, before or after the next keys were
// published.
type KeyReadiness struct {
	Since        Moment // zero: there is no next key
	Seen, Unseen []KeyReader
}

// KeyReader is a family of programs that reads the JWKS.
type KeyReader struct {
	Family string
	At     Moment // last read
}

// KeyTimeline is a picture of the times of the keys, in units of its own. The zero value is
// no picture.
type KeyTimeline struct {
	Width, Height int
	Foot          int // lower end of the rows; the label of the next rotation is below
	Today         int // from the left
	Rotation      int // the next by the schedule; 0: none
	Rows          []KeyTimelineRow
}

// KeyTimelineRow shows the times of one key.
type KeyTimelineRow struct {
	Label string
	Y     int // of the label's foot
	Bars  []KeyTimelineBar
}

// KeyTimelineBar is one period of a key.
type KeyTimelineBar struct {
	Signing, Checking   bool // both false: published, but not signing yet
	X, Y, Width, Height int
}

// AdminRotate asks before the keys rotate.
type AdminRotate struct {
	Admin
	Next      []KeyRow // the keys that will sign
	NotBefore Moment   // earliest time of the rotation; zero: now
	Readiness KeyReadiness
	Shown     string // ids of the keys for which the ticket is valid
	Ticket    string
}

func (AdminRotate) page() string { return "adminrotate.html" }

// AdminRevoke asks before a key is revoked.
type AdminRevoke struct {
	Admin
	Key        KeyRow
	Damage     words.Sentence
	Succession words.Sentence // which key takes its place; zero if none has to
	Wrong      words.Sentence // the error of the typed text; zero: none
	Confirm    string         // the typed text, kept while the person confirmed their identity
	Reason     string         // typed text, kept likewise
	Ticket     string
}

func (AdminRevoke) page() string { return "adminrevoke.html" }
