package flow

import (
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/request"
	"signet/provider/session"
	"signet/storage"
)

const (
	one = storage.ACROneFactor
	two = storage.ACRTwoFactors
	phr = storage.ACRPhishingResistant
)

// TestLevel_Table lists the decisions as a person reads them: what is wanted, what the session has,
// what the account can reach.
func TestLevel_Table(t *testing.T) {
	for name, c := range map[string]struct {
		in   level
		want verdict
		acr  string
	}{
		"nothing is wanted":                                   {level{Has: one, Reach: phr}, strongEnough, ""},
		"a preference that the person has is asked for":       {level{Has: one, Reach: two, Voluntary: []string{two}}, askStronger, two},
		"a preference that the person does not have":          {level{Has: one, Reach: one, Voluntary: []string{two}}, strongEnough, ""},
		"a preference with prompt=none":                       {level{Has: one, Reach: two, Voluntary: []string{two}, Silent: true}, strongEnough, ""},
		"a preference after “Not now”":                        {level{Has: one, Reach: two, Voluntary: []string{two}, NotNow: true}, strongEnough, ""},
		"the first preference holds":                          {level{Has: one, Reach: phr, Voluntary: []string{one, two}}, strongEnough, ""},
		"the second preference holds, the first is reached":   {level{Has: one, Reach: phr, Voluntary: []string{phr, one}}, askStronger, phr},
		"the second preference holds, the first is out":       {level{Has: one, Reach: two, Voluntary: []string{phr, one}}, strongEnough, ""},
		"the best preference is out, the next is reached":     {level{Has: one, Reach: two, Voluntary: []string{phr, two}}, askStronger, two},
		"an essential value is asked for":                     {level{Has: one, Reach: two, Essential: []string{two}}, askStronger, two},
		"an essential value with prompt=none":                 {level{Has: one, Reach: two, Essential: []string{two}, Silent: true}, needsPerson, ""},
		"an essential value that the person cannot reach":     {level{Has: one, Reach: one, Essential: []string{two}}, unreachable, ""},
		"the same with prompt=none":                           {level{Has: one, Reach: one, Essential: []string{two}, Silent: true}, unreachable, ""},
		"an essential value after “No”":                       {level{Has: one, Reach: two, Essential: []string{two}, NotNow: true}, missedByPerson, ""},
		"an unknown essential value":                          {level{Has: phr, Reach: phr, Essential: []string{"mfa"}}, unreachable, ""},
		"one of the essential values holds":                   {level{Has: one, Reach: one, Essential: []string{phr, one}}, strongEnough, ""},
		"a stronger sign-in has the weaker essential value":   {level{Has: phr, Reach: phr, Essential: []string{two}}, strongEnough, ""},
		"the client requires what the person has":             {level{Has: one, Reach: two, Client: two}, askStronger, two},
		"the client requires what the person must add":        {level{Has: one, Reach: one, Client: two}, askToEnrol, ""},
		"the client requires a key, the person has an app":    {level{Has: two, Reach: two, Client: phr}, askToEnrol, ""},
		"the client requires with prompt=none":                {level{Has: one, Reach: one, Client: two, Silent: true}, needsPerson, ""},
		"the client requires, and the person refuses":         {level{Has: one, Reach: two, Client: two, NotNow: true}, refusedByPerson, ""},
		"everyone needs a second factor, the person has one":  {level{Has: one, Reach: phr, Everyone: true}, askStronger, two},
		"everyone needs a second factor, the person has none": {level{Has: one, Reach: one, Everyone: true}, askToEnrol, ""},
		"everyone needs one, and the browser is trusted":      {level{Has: one, Reach: two, Everyone: true, Trusted: true}, strongEnough, ""},
		"a trusted browser does not meet the client":          {level{Has: one, Reach: two, Client: two, Trusted: true}, askStronger, two},
		"a trusted browser does not meet the claim":           {level{Has: one, Reach: two, Essential: []string{two}, Trusted: true}, askStronger, two},
		"client and claim together: the stronger":             {level{Has: one, Reach: phr, Client: two, Essential: []string{phr}}, askStronger, phr},
		"no enrolment for a request that fails after it":      {level{Has: one, Reach: one, Client: two, Essential: []string{phr}}, unreachable, ""},
		"an act that the account can reach":                   {level{Has: one, Reach: phr, Act: two}, askStronger, two},
		"an act that the account cannot reach":                {level{Has: one, Reach: one, Act: two}, strongEnough, ""},
	} {
		if got, acr := c.in.decide(); got != c.want || acr != c.acr {
			t.Errorf("%s: got %d %q, want %d %q", name, got, acr, c.want, c.acr)
		}
	}
}

// levels returns every combination of the input.
func levels(yield func(level)) {
	acrs := []string{one, two, phr}
	lists := [][]string{nil, {one}, {two}, {phr}, {"mfa"}, {phr, one}, {"mfa", two}}
	for has := range acrs {
		for reach := has; reach < len(acrs); reach++ {
			for _, client := range append([]string{""}, acrs...) {
				for _, act := range []string{"", two} {
					for _, essential := range lists {
						for _, voluntary := range lists {
							for flags := range 16 {
								yield(level{
									Has: acrs[has], Reach: acrs[reach], Client: client, Act: act, Essential: essential, Voluntary: storage.KnownACRs(voluntary),
									Silent: flags&1 != 0, NotNow: flags&2 != 0, Trusted: flags&4 != 0, Everyone: flags&8 != 0,
								})
							}
						}
					}
				}
			}
		}
	}
}

// TestLevel_EveryCombination checks the rules of the policy one by one on every input. None of them
// uses the order in which the policy decides.
//
// MF-13: The policy names the least strength, and a weaker method is never enough.
func TestLevel_EveryCombination(t *testing.T) {
	rows := 0
	levels(func(l level) {
		rows++
		got, acr := l.decide()
		required := l.Client != "" && !storage.ACRReaches(l.Has, l.Client) || l.Everyone && !l.Trusted && l.Has == one
		essential := len(l.Essential) > 0 && !slices.ContainsFunc(l.Essential, func(w string) bool { return storage.ACRReaches(l.Has, w) })
		lost := essential && !slices.ContainsFunc(l.Essential, func(w string) bool { return storage.ACRReaches(l.Reach, w) })
		wrong := ""
		switch {
		case got == strongEnough && (required || essential):
			wrong = "answers with a sign-in that is too weak"
		case got == unreachable != lost:
			wrong = "fails where the person could reach it, or asks in vain"
		case got == askToEnrol && !required:
			wrong = "opens enrolment for a request"
		case got == needsPerson && !l.Silent, l.Silent && got == askToEnrol, l.Silent && got == askStronger && l.Act == "":
			wrong = "asks in spite of prompt=none, or refuses to ask without it"
		case (got == refusedByPerson || got == missedByPerson) && !l.NotNow:
			wrong = "refuses for a no that nobody said"
		case l.NotNow && (got == askToEnrol || got == askStronger && l.Act == ""):
			wrong = "asks again after a no"
		case got == refusedByPerson && !required, got == missedByPerson && (required || !essential):
			wrong = "names the wrong reason"
		case (got == askStronger) != (acr != ""):
			wrong = "asks for nothing"
		case acr != "" && (storage.ACRReaches(l.Has, acr) || !storage.ACRReaches(l.Reach, acr)):
			wrong = "asks for what the session has, or the person has not"
		}
		if wrong == "" && acr != "" { // after the person gave it
			l.Has = acr
			if again, next := l.decide(); again == askStronger && storage.ACRReaches(acr, next) {
				wrong = "asks for the same again"
			}
		}
		if wrong != "" {
			t.Fatalf("%s: %+v gives %d %q", wrong, l, got, acr)
		}
	})
	if rows < 20_000 {
		t.Errorf("%d rows: the table has shrunk", rows)
	}
}

// TestStatedACR_NeverMoreThanHappened checks every request: the tokens state a value that the
// sign-in has, the first requested one if there is one, and no weaker one than the client requires.
//
// MF-16: acr claims no more than happened.
func TestStatedACR_NeverMoreThanHappened(t *testing.T) {
	levels(func(l level) {
		q, client := request.Request{EssentialACR: l.Essential, VoluntaryACR: l.Voluntary}, storage.Client{RequireACR: l.Client}
		got := StatedACR(q, client, l.Has)
		if !storage.ACRReaches(l.Has, got) {
			t.Fatalf("%+v: states %s", l, got)
		}
		if l.Client != "" && storage.ACRReaches(l.Has, l.Client) && !storage.ACRReaches(got, l.Client) {
			t.Fatalf("%+v: states %s, less than the client requires", l, got)
		}
		asked := slices.Concat(l.Essential, l.Voluntary, []string{l.Client})
		if got == phr && !slices.Contains(asked, phr) {
			t.Fatalf("%+v: states phr to a client that did not ask for it", l)
		}
		if first := slices.IndexFunc(asked, func(w string) bool { return storage.ACRReaches(l.Has, w) }); l.Client == "" && first >= 0 && got != asked[first] {
			t.Fatalf("%+v: states %s, want %s", l, got, asked[first])
		}
	})
}

// TestNextStep_LevelsLeadOn walks from step to step, for every level, until the request is answered
// or refused. The person does what the page asks, or says no.
func TestNextStep_LevelsLeadOn(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ends := map[string]int{}
	levels(func(l level) {
		for _, kind := range []request.Kind{request.Code, request.Device, request.Cookies, request.Page} {
			if kind != request.Code && len(l.Essential) > 0 || kind != request.Page && l.Act != "" {
				continue // a request of this kind has none
			}
			q := request.Request{ID: "this", Kind: kind, VoluntaryACR: l.Voluntary}
			switch kind {
			case request.Code:
				q.EssentialACR = l.Essential
			case request.Page:
				if l.Act != "" {
					q.Act, q.EssentialACR = "security", []string{l.Act}
				}
			}
			if l.Silent && kind != request.Page {
				q.Prompt = []string{"none"}
			}
			client := storage.Client{RequireACR: l.Client, SkipConsent: true, Metadata: storage.ClientMetadata{GrantTypes: []string{storage.GrantDevice}}}
			if kind == request.Page {
				client = storage.Client{}
			}
			current := &session.Current{Session: storage.Session{ID: "ses", ACR: l.Has, AuthTime: storage.At(at)}}
			reach, steps := l.Reach, []string(nil)
			for {
				facts := Facts{Current: current, Client: client, RequireFactor: l.Everyone}
				if facts.WantsMore(q) {
					facts.Reach = reach
				}
				next := NextStep(q, facts, at)
				if facts.Reach = reach; NextStep(q, facts, at) != next {
					t.Fatalf("%+v %s: the step depends on a way that was not read", l, kind)
				}
				needed := ProofNeeded(q, facts, at)
				if next.Page == SignInPage != needed.Needed() && next != weakACR {
					t.Fatalf("%+v %s: step %+v, but the page asks for %+v", l, kind, next, needed)
				}
				if next.Page == "" || next.Page == DevicePage {
					ends[stepName(next)]++
					break
				}
				if steps = append(steps, next.Page); len(steps) > 4 {
					t.Fatalf("%+v %s: endless: %v", l, kind, steps)
				}
				switch {
				case l.Trusted: // this person says no to everything
					current.Facts = append(current.Facts, storage.Fact{Kind: storage.FactNotNow, Request: q.ID})
				case next.Page == EnrolPage:
					reach, current.ACR = phr, phr
				default:
					current.ACR = needed.ACR
				}
				if kind == request.Page && l.Trusted {
					break // a page has no such button: the person goes back
				}
			}
		}
	})
	for _, end := range []string{"answer", DevicePage, "acr_declined access_denied", "acr_declined unmet_authentication_requirements", "acr_needed interaction_required", "acr_not_reached unmet_authentication_requirements"} {
		if ends[end] == 0 {
			t.Errorf("no request ended with %s: %v", end, ends)
		}
	}
}

func stepName(s Step) string {
	switch {
	case s.Refusal != nil:
		return strings.Join([]string{s.Refusal.Cause(), s.Refusal.Code}, " ")
	case s.Page != "":
		return s.Page
	}
	return "answer"
}
