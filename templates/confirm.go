package templates

import (
	"fmt"
	"strings"
	"time"
)

// Confirm asks somebody who is signed in to prove anew who they are. It offers only the
// ways of this account that can do so.
type Confirm struct {
	Common
	Request string
	User    Person
	Wanted  Wanted

	Password   bool
	Keep       bool // "Keep me signed in" stays as it was chosen
	Error      *FormError
	Connectors []ConnectorButton

	Tried     string   // the upstream that signed them in just now without asking; "" for none
	TriedSays bool     // it says when it asked last: signing out there helps
	Unable    []string // upstreams of the account that never prove anything anew

	ForApp bool   // an application asks, and can be gone back to
	Ticket string // for that
	Cancel string // path that leads back on our own pages; "" for none
	Other  string // path of the sign-in page for another account
}

func (Confirm) page() string { return "confirm.html" }

// Wanted is why the person is asked.
type Wanted struct {
	Act     string        // of our own pages: "password", "end-all" …; "" for an application
	Again   bool          // the application wants an answer to this request
	MaxAge  time.Duration // or one that is no older; 0: only to know when it was
	Unknown bool          // nobody knows when the person last did
}

// acts are what our own pages want a new proof for, by the code that the request carries.
var acts = map[string]string{
	"password": "change your password",
	"end-all":  "sign out everywhere",
	"withdraw": "take away an application’s access",
	"link":     "connect another account",
	"unlink":   "disconnect an account",
	"rotate":   "rotate the signing keys",
	"revoke":   "revoke a signing key",
}

// commandLine are the acts that an operator can also do at the command line.
var commandLine = map[string]string{"rotate": "signet keys rotate", "revoke": "signet keys revoke"}

// why says why the page asks.
func why(c Confirm) string {
	app := clientName(c.Client)
	if app == "" {
		app = "The application"
	}
	switch w := c.Wanted; {
	case w.Act != "" && acts[w.Act] == "":
		return "Confirm that it is you before you go on. " + since(w)
	case w.Act != "":
		return "Confirm that it is you before you " + acts[w.Act] + ". " + since(w)
	case w.Again:
		return app + " asks you to confirm that it is you."
	case w.MaxAge > 0:
		return app + " wants you to have confirmed within the last " + plainSpan(w.MaxAge) + " that it is you."
	case w.Unknown:
		return app + " wants to know when you last confirmed that it is you."
	}
	return app + " asks you to confirm that it is you."
}

func since(w Wanted) string {
	if w.Unknown {
		return "It is not known when you last did: the service that you signed in with does not say."
	}
	return "The last time was more than five minutes ago."
}

func plainSpan(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := int64(d / unit.size); d >= unit.size && d%unit.size == 0 {
			if n == 1 {
				return unit.name
			}
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return d.String()
}

// confirmable reports whether the page has a way to offer.
func confirmable(c Confirm) bool { return c.Password || len(usable(c.Connectors)) > 0 }

// help says what can be done where the page has no way to offer.
func help(c Confirm) string {
	unable := "What you sign in with"
	var names []string
	for _, n := range c.Unable {
		if n = name(n); n != "" {
			names = append(names, n)
		}
	}
	if len(names) > 0 {
		unable = strings.Join(names, " and ")
	}
	text := unable + " cannot confirm that it is you, because it signs you in without asking you again. Your account has no other way. "
	if c.Wanted.Act == "" {
		return text + "Go back to the application and tell its operator, or sign in with another account."
	}
	text += "Ask the operator of this service to give your account a password."
	if command := commandLine[c.Wanted.Act]; command != "" {
		text += " Whoever runs the server can do this with: " + command + "."
	}
	return text
}
