package templates

import (
	"time"

	"signet/templates/words"
)

// Confirm asks a signed-in person to confirm their identity. It offers only the ways to sign
// in that the account has and that can confirm it.
type Confirm struct {
	Common
	Request string
	User    Person
	Wanted  Wanted

	Password   bool
	Forgot     bool // show the link to the form for a forgotten password
	Keep       bool // "Keep me signed in" stays as it was chosen
	Error      *FormError
	Connectors []ConnectorButton
	Passkey    *PasskeyAsk // nil: the account has no passkey

	Tried     string   // upstream that just signed the person in without asking; "" if none did
	TriedSays bool     // Tried reports when it last asked, so signing out there helps
	Unable    []string // upstreams of the account that cannot confirm anything

	Factor  string // path of the page for the second factor, which is enough; "" if it is not
	Decline bool   // the page can lead on without the proof, to the application that asks
	NotNow  bool   // the proof is only preferred: the application goes on without it
	Ticket  string // of the form that leads on
	Cancel  string // path back on our own pages; "" for none
	Other   string // path of the sign-in page for another account
}

func (Confirm) page() string { return "confirm.html" }

// Wanted is why the person is asked.
type Wanted struct {
	Act     string        // act on our own pages: "password", "end-all" …; "" for an application
	Again   bool          // the application wants a confirmation for this request
	MaxAge  time.Duration // the application accepts a confirmation of at most this age; 0: of any age
	Unknown bool          // it is not known when the person last confirmed

	Stronger bool // the last sign-in is recent enough, but it must be stronger
	Key      bool // Stronger: it needs a passkey or a security key
}

// reasons say why our own pages ask, by the act that the request carries.
var reasons = map[string]words.Sentence{
	"password":     words.Say("confirm-why.password"),
	"verify-email": words.Say("confirm-why.verify-email"),
	"change-email": words.Say("confirm-why.change-email"),
	"end-all":      words.Say("confirm-why.end-all"),
	"withdraw":     words.Say("confirm-why.withdraw"),
	"link":         words.Say("confirm-why.link"),
	"unlink":       words.Say("confirm-why.unlink"),
	"passkey":      words.Say("confirm-why.passkey"),
	"rotate":       words.Say("confirm-why.rotate"),
	"revoke":       words.Say("confirm-why.revoke"),
	"security":     words.Say("confirm-why.security"),
}

// unknownReasons are the reasons if it is not known when the person last confirmed.
var unknownReasons = map[string]words.Sentence{
	"password":     words.Say("confirm-unknown.password"),
	"verify-email": words.Say("confirm-unknown.verify-email"),
	"change-email": words.Say("confirm-unknown.change-email"),
	"end-all":      words.Say("confirm-unknown.end-all"),
	"withdraw":     words.Say("confirm-unknown.withdraw"),
	"link":         words.Say("confirm-unknown.link"),
	"unlink":       words.Say("confirm-unknown.unlink"),
	"passkey":      words.Say("confirm-unknown.passkey"),
	"rotate":       words.Say("confirm-unknown.rotate"),
	"revoke":       words.Say("confirm-unknown.revoke"),
	"security":     words.Say("confirm-unknown.security"),
}

// commands are the commands by which an operator can do an act without the page.
var commands = map[string]string{"rotate": "signet keys rotate", "revoke": "signet keys revoke"}

// why says why the page asks.
func why(c Confirm) words.Sentence {
	w := c.Wanted
	switch {
	case w.Stronger && w.Act != "":
		return words.Say("confirm-own.stronger")
	case w.Stronger && clientName(c.Client) == "":
		return words.Say("confirm-own.service")
	case w.Stronger && w.Key:
		return words.Say("confirm-app.key", "App", appOrUnnamed(c))
	case w.Stronger:
		return words.Say("confirm-app.stronger", "App", appOrUnnamed(c))
	case w.Act != "" && w.Unknown:
		return unknownReasons[w.Act].Or(words.Say("confirm-unknown.go-on"))
	case w.Act != "":
		return reasons[w.Act].Or(words.Say("confirm-why.go-on"))
	case w.Again || w.MaxAge <= 0 && !w.Unknown:
		return words.Say("confirm-app.again", "App", appOrUnnamed(c))
	case w.MaxAge <= 0:
		return words.Say("confirm-app.when", "App", appOrUnnamed(c))
	}
	return within(w.MaxAge, appOrUnnamed(c))
}

// appOrUnnamed gives the name of the application as the subject of a sentence.
func appOrUnnamed(c Confirm) words.Sentence {
	if app := clientName(c.Client); app != "" {
		return words.Say("person.named", "Name", app)
	}
	return words.Say("confirm-app.the-application")
}

// within says how long ago the person may have confirmed, in the largest unit that is exact.
func within(age time.Duration, app words.Sentence) words.Sentence {
	const day = 24 * time.Hour
	switch {
	case age%day == 0:
		return words.Say("confirm-app.days", "App", app, "Count", int(age/day))
	case age%time.Hour == 0:
		return words.Say("confirm-app.hours", "App", app, "Count", int(age/time.Hour))
	case age%time.Minute == 0:
		return words.Say("confirm-app.minutes", "App", app, "Count", int(age/time.Minute))
	}
	return words.Say("confirm-app.seconds", "App", app, "Count", int((age+time.Second-1)/time.Second))
}

// tried says that the upstream just signed the person in without asking; zero if none did.
func tried(c Confirm) words.Sentence {
	connector := name(c.Tried)
	switch {
	case connector == "":
		return words.Sentence{}
	case c.TriedSays:
		return words.Say("confirm.tried-sign-out", "Connector", connector)
	case confirmable(c):
		return words.Say("confirm.tried-other-way", "Connector", connector)
	}
	return words.Say("confirm.tried", "Connector", connector)
}

// confirmable reports whether the page has a way to offer.
func confirmable(c Confirm) bool {
	return c.Password || c.Passkey != nil || c.Factor != "" || len(usable(c.Connectors)) > 0
}

// unable says which upstreams of the account cannot confirm anything.
func unable(c Confirm) words.Sentence {
	var all words.Sentence
	for _, service := range c.Unable {
		service = name(service)
		switch {
		case service == "":
		case all.IsZero():
			all = words.Say("person.named", "Name", service)
		default:
			all = words.Say("confirm-help.and", "First", all, "Second", service)
		}
	}
	if all.IsZero() {
		return words.Say("confirm-help.services-unnamed")
	}
	return words.Say("confirm-help.services", "Services", all)
}

// help gives the next step if the page has no way to offer.
func help(c Confirm) words.Sentence {
	command := commands[c.Wanted.Act]
	switch {
	case c.Wanted.Act == "":
		return words.Say("confirm-help.app")
	case command != "":
		return words.Say("confirm-help.own-or-command", "Command", command)
	}
	return words.Say("confirm-help.own")
}
