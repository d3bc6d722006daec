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
	p := &web.Problem{Status: http.StatusGone, Code: dead.Code, Title: words.Say("dead-link.title"), Text: reasons[dead.Code], Cause: err}
	if dead.Code == "link_invalid" {
		p.Status = http.StatusBadRequest
	}
	if text, is := invitationReasons[dead.Code]; is && dead.Kind == storage.LinkInvitation {
		p.Text = text
	}
	way := waysOn[dead.Kind]
	switch text, is := usedReasons[dead.Kind]; {
	case is && dead.Code == "link_used":
		p.Text, way = text, waysOn[storage.LinkInvitation]
	case dead.Code == "link_address_taken": // there is an account
		way = waysOn[storage.LinkInvitation]
	}
	if way.path != "" {
		p.StartURL, p.StartText = l.base()+way.path, way.text
	}
	return p
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

// usedReasons lists the sentences for links after which a person can sign in. Mostly, the same
// person used the link a moment ago, such as by a second click, so the page leads to the sign-in.
var usedReasons = map[storage.LinkKind]words.Sentence{
	storage.LinkReset:      words.Say("dead-link.used-reset"),
	storage.LinkSignUp:     words.Say("dead-link.used-account"),
	storage.LinkInvitation: words.Say("dead-link.used-account"),
}

// invitationReasons lists the sentences for invitations, which people cannot ask for on a page.
var invitationReasons = map[string]words.Sentence{
	"link_expired": words.Say("dead-link.invitation-expired"),
	"link_ended":   words.Say("dead-link.invitation-ended"),
}

// waysOn lists the page that a dead link of each kind leads to.
var waysOn = map[storage.LinkKind]struct {
	path string
	text words.Sentence
}{
	storage.LinkReset:      {"/reset", words.Say("dead-link.new-reset")},
	storage.LinkSignUp:     {"/signup", words.Say("dead-link.new-sign-up")},
	storage.LinkVerify:     {"/account", words.Say("dead-link.account")},
	storage.LinkInvitation: {"/login", words.Say("dead-link.sign-in")},
	storage.LinkUndo:       {"/login", words.Say("dead-link.sign-in")},
}
