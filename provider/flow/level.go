package flow

import (
	"slices"
	"time"

	"signet/provider/request"
	"signet/storage"
)

// level is the input of the policy about the strength of a sign-in.
type level struct {
	Has     string // acr of the session
	Reach   string // strongest acr that the person can reach with the ways of the account
	Silent  bool   // prompt=none
	NotNow  bool   // the person does not want a stronger sign-in for this request
	Trusted bool   // the person trusts this browser

	// What is wanted, from the firmest to the weakest.
	Everyone  bool     // a second factor is required of all people (factors.required: all)
	Client    string   // acr that the client requires (require_acr); "": none
	Act       string   // acr that an act on Signet's own pages needs; "": none
	Essential []string // values of an essential acr claim: one of them must be reached
	Voluntary []string // preferences, the best first (acr_values, an acr claim, default_acr_values)
}

// verdict is the output of the policy.
type verdict int

const (
	strongEnough    verdict = iota
	askStronger             // ask the person for a way that reaches the acr
	askToEnrol              // the person has no such way and must add one
	needsPerson             // the person must be asked, and prompt=none does not allow it
	unreachable             // the person has no such way, and the request alone opens no enrolment
	refusedByPerson         // the person does not want to, and the client or the server requires it
	missedByPerson          // the person does not want to, and the request needs it
)

// decide returns the verdict and, for askStronger, the acr that the person is asked for.
//
// The client and the server require; an essential claim can fail; everything else is a preference
// that only asks a person who has the factor (RFC 9470, section 5; OIDC Core, section 5.5.1.1).
func (l level) decide() (verdict, string) {
	firm := l.firm()
	essential := ""
	if len(l.Essential) > 0 && !l.reachesOne(l.Has, l.Essential) {
		at := slices.IndexFunc(l.Essential, func(wanted string) bool { return storage.ACRReaches(l.Reach, wanted) })
		if at < 0 {
			return unreachable, ""
		}
		essential = l.Essential[at]
	}
	switch missing := firm != ""; {
	case missing && l.NotNow:
		return refusedByPerson, ""
	case essential != "" && l.NotNow:
		return missedByPerson, ""
	case (missing || essential != "") && l.Silent:
		return needsPerson, ""
	case missing && !storage.ACRReaches(l.Reach, firm):
		return askToEnrol, ""
	case missing || essential != "":
		return askStronger, storage.StrongerACR(firm, essential)
	case l.Act != "" && !storage.ACRReaches(l.Has, l.Act) && storage.ACRReaches(l.Reach, l.Act):
		return askStronger, l.Act // without a way to reach it, the page of the act says so
	}
	if wanted := l.preferred(); wanted != "" {
		return askStronger, wanted
	}
	return strongEnough, ""
}

// firm returns the strongest acr that the client or the server requires and the session does not
// have; "" if there is none.
func (l level) firm() string {
	wanted := ""
	if l.Everyone && !l.Trusted && !storage.ACRReaches(l.Has, storage.ACRTwoFactors) {
		wanted = storage.ACRTwoFactors
	}
	if l.Client != "" && !storage.ACRReaches(l.Has, l.Client) {
		wanted = storage.StrongerACR(wanted, l.Client)
	}
	return wanted
}

// preferred returns the first preference that the session does not have and the person can reach.
// It is "" if the session has a better one, or the person cannot or does not want to be asked.
func (l level) preferred() string {
	if l.Silent || l.NotNow {
		return ""
	}
	for _, wanted := range l.Voluntary {
		switch {
		case storage.ACRReaches(l.Has, wanted):
			return ""
		case storage.ACRReaches(l.Reach, wanted):
			return wanted
		}
	}
	return ""
}

func (l level) reachesOne(acr string, wanted []string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool { return storage.ACRReaches(acr, w) })
}

// level returns what the request, its client and the settings want of the session.
func (f Facts) level(q request.Request) level {
	l := level{
		Has: f.Current.ACR, Reach: storage.StrongerACR(f.Current.ACR, f.Reach), Silent: q.Prompts("none"),
		NotNow:   f.Current.Has(storage.FactNotNow, q.ID),
		Trusted:  f.Current.FactorSkipped,
		Everyone: f.RequireFactor && q.Act == "", // an act adds the factor, or needs none
		Client:   f.Client.RequireACR, Voluntary: q.VoluntaryACR,
	}
	if q.Act != "" && len(q.EssentialACR) > 0 {
		l.Act = q.EssentialACR[0]
	} else {
		l.Essential = q.EssentialACR
	}
	return l
}

// WantsMore reports whether the request wants a stronger sign-in than that of the session, so that
// the next step depends on Reach. Callers read Reach only then.
func (f Facts) WantsMore(q request.Request) bool {
	if f.Current == nil || f.OtherUser {
		return false
	}
	l := f.level(q)
	l.Reach = storage.ACRPhishingResistant
	got, _ := l.decide()
	return got != strongEnough
}

// Proof is what a signed-in person must prove for a request.
type Proof struct {
	Again bool   // the sign-in is not recent enough
	ACR   string // the sign-in must reach it; "": the acr of the session is enough
	Firm  bool   // without it, the request fails
}

// Needed reports whether the person must prove anything.
func (p Proof) Needed() bool { return p != Proof{} }

// ProofNeeded returns what the signed-in person must prove for a request before anything else.
func ProofNeeded(q request.Request, f Facts, at time.Time) Proof {
	p := Proof{Again: !f.Current.Meets(q.Freshness(f.Client), at)}
	l := f.level(q)
	got, acr := l.decide()
	if got != askStronger {
		return p
	}
	l.Voluntary = nil
	got, _ = l.decide()
	p.ACR, p.Firm = acr, got == askStronger
	return p
}

// StatedACR returns the acr for the tokens of a request: the first requested value that the sign-in
// has, so that a client which asks for a weak one recognizes the answer (OIDC Core, section
// 5.5.1.1). A value that is weaker than the client requires is not stated. Without such a value,
// the acr is that of the sign-in, but ACRPhishingResistant is stated only to clients that ask for it.
func StatedACR(q request.Request, client storage.Client, acr string) string {
	wanted := append(slices.Clone(q.EssentialACR), q.VoluntaryACR...)
	if client.RequireACR != "" {
		wanted = append(slices.DeleteFunc(wanted, func(value string) bool { return !storage.ACRReaches(value, client.RequireACR) }), client.RequireACR)
	}
	for _, value := range wanted {
		if storage.ACRReaches(acr, value) {
			return value
		}
	}
	if acr == storage.ACRPhishingResistant {
		return storage.ACRTwoFactors
	}
	return acr
}
