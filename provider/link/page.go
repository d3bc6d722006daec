package link

import (
	"errors"
	"net/http"

	"signet/provider/web"
	"signet/storage"
	"signet/templates/words"
)

// Problem turns the error of a dead link into the page for it, which says why and leads to the way
// on. It returns every other error unchanged. Use it for the error of Open, and for that of the
// storage method of the act: another tab may have used the link meanwhile.
func (l *Links) Problem(err error) error {
	dead, is := errors.AsType[*storage.DeadLinkError](err)
	if !is {
		return err
	}
	p := &web.Problem{Status: http.StatusGone, Code: dead.Code, Title: words.Say("dead-link.title"), Text: l.reasonOf(dead), Cause: err}
	if dead.Code == "link_invalid" {
		p.Status = http.StatusBadRequest
	}
	on := l.wayOn(dead)
	p.StartURL, p.StartText = l.base()+on.path, on.text
	return p
}

// needsOperator reports whether only the operator of this server can make another link. If the
// server sends no mails, the operator made this one, too.
func (l *Links) needsOperator(kind storage.LinkKind) bool {
	return !l.SendsMails && (kind == storage.LinkReset || kind == storage.LinkSignUp)
}

// reasonOf returns the sentence that says why a link is dead.
func (l *Links) reasonOf(dead *storage.DeadLinkError) words.Sentence {
	if l.needsOperator(dead.Kind) && dead.Code != "link_invalid" && dead.Code != "link_address_taken" {
		return words.Say("dead-link.operator")
	}
	if text, is := ownReasons[dead.Kind][dead.Code]; is {
		return text
	}
	return reasons[dead.Code]
}

// reasons lists the sentences by the code of a dead link.
var reasons = map[string]words.Sentence{
	"link_invalid":  words.Say("dead-link.invalid"),
	"link_used":     words.Say("dead-link.used"),
	"link_replaced": words.Say("dead-link.replaced"),
	"link_expired":  words.Say("dead-link.expired"),
	"link_ended":    words.Say("dead-link.ended"),

	"link_address_taken": words.Say("dead-link.address-taken"),
}

// ownReasons lists the sentences of the kinds for which a general one would be wrong. Mostly, the
// person who opens a used link used it a moment ago, such as by a second click.
var ownReasons = map[storage.LinkKind]map[string]words.Sentence{
	storage.LinkReset: {"link_used": words.Say("dead-link.used-reset")},
	storage.LinkPasskey: {
		"link_used":    words.Say("dead-link.used-passkey"),
		"link_expired": words.Say("dead-link.operator-passkey"), "link_ended": words.Say("dead-link.operator-passkey"),
	},
	storage.LinkSignUp: {"link_used": words.Say("dead-link.used-account"), "link_ended": words.Say("dead-link.sign-up-ended")},
	storage.LinkInvitation: {
		"link_used": words.Say("dead-link.used-account"), "link_expired": words.Say("dead-link.invitation-expired"),
		"link_ended": words.Say("dead-link.invitation-ended"),
	},
}

// way is a page that a dead link leads to.
type way struct {
	path string
	text words.Sentence
}

var toSignIn = way{"/login", words.Say("dead-link.sign-in")}

// waysOn lists the page that a dead link of each kind leads to.
var waysOn = map[storage.LinkKind]way{
	storage.LinkReset:      {"/reset", words.Say("dead-link.new-reset")},
	storage.LinkSignUp:     {"/signup", words.Say("dead-link.new-sign-up")},
	storage.LinkVerify:     {"/account", words.Say("dead-link.account")},
	storage.LinkInvitation: toSignIn,
	storage.LinkPasskey:    toSignIn,
	storage.LinkUndo:       toSignIn,
	storage.LinkEnrol:      {"/account/security", words.Say("dead-link.security")},
}

// wayOn returns the page that a dead link leads to. It leads to no page that needs mails if the
// server sends none.
func (l *Links) wayOn(dead *storage.DeadLinkError) way {
	isUsed := dead.Code == "link_used" && dead.Kind != storage.LinkVerify && dead.Kind != storage.LinkEnrol
	if isUsed || dead.Code == "link_address_taken" || l.needsOperator(dead.Kind) {
		return toSignIn
	}
	return waysOn[dead.Kind]
}
