package templates

import "signet/templates/words"

// AdminKeys shows the life of the signing keys.
type AdminKeys struct {
	Admin
	Done         words.Sentence   // what was done just now; zero: nothing
	Aftermath    []words.Sentence // on a revocation just now
	Keys         []KeyRow
	Timeline     KeyTimeline
	NextRotation Moment // by the schedule; zero: no next key is there
	Readiness    KeyReadiness
}

func (AdminKeys) page() string { return "adminkeys.html" }

// KeyRow is one key. Times that do not come are zero.
type KeyRow struct {
	ID, Algorithm, State string
	Created              Moment
	SignsFrom            Moment // of a next key, by the schedule
	SignsUntil           Moment // of an active key, likewise
	PublishedUntil       Moment
	LastSigned           Moment // of a retired key
	LastTokenExpiry      Moment
	Revoked              Moment
	Reason               string // of the revocation
	InModule             bool   // the private half is outside the database
}

// Internal reports whether the key is of the line that is in no JWKS.
func (k KeyRow) Internal() bool { return k.Algorithm == internalLine }

// KeyReadiness tells who has read the JWKS since the next keys were published.
type KeyReadiness struct {
	Since        Moment // zero: there is no next key
	Seen, Unseen []KeyReader
}

// KeyReader is a family of programs that reads the JWKS.
type KeyReader struct {
	Family string
	At     Moment // last
}

// KeyTimeline is the picture of the keys' lives, in units of its own. The zero value
// is none.
type KeyTimeline struct {
	Width, Height int
	Foot          int // where the rows end; below stand the words of the next rotation
	Today         int // from the left
	Rotation      int // the next by the schedule; 0: none
	Rows          []KeyTimelineRow
}

// KeyTimelineRow is the life of one key.
type KeyTimelineRow struct {
	Label string
	Y     int // of the label's foot
	Bars  []KeyTimelineBar
}

// KeyTimelineBar is one stretch of it.
type KeyTimelineBar struct {
	Signing, Checking   bool // neither: published before it signs
	X, Y, Width, Height int
}

// AdminRotate asks before the keys rotate.
type AdminRotate struct {
	Admin
	Next      []KeyRow // that are to sign
	NotBefore Moment   // they are too young until then; zero: they are not
	Readiness KeyReadiness
	Shown     string // what the ticket is bound to
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
	Confirm    string         // as it was typed, before the person had to prove who they are
	Reason     string         // likewise
	Ticket     string
}

func (AdminRevoke) page() string { return "adminrevoke.html" }
