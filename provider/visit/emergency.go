package visit

import (
	"context"
	"slices"
	"time"

	"signet/storage"
	"signet/templates/words"
)

// emergencyShown is how long administrators see that an emergency link was created, and
// mostEmergencies is how many links a page shows. Nobody can dismiss the notice, because a
// thief could do that too.
const (
	emergencyShown  = 30 * 24 * time.Hour
	mostEmergencies = 3
)

// EmergencyNotices describes the emergency links of the last 30 days to a user who may read
// everything at the pages for operators, the newest first. Other users get none.
func (v *Visits) EmergencyNotices(ctx context.Context, viewer storage.User) (notices []words.Sentence, err error) {
	if !slices.Contains(viewer.AdminRole().Scopes(), storage.ScopeAdminRead) {
		return nil, nil
	}
	links, err := v.DB.EmergencyLinks(ctx, v.Now().Add(-emergencyShown), mostEmergencies)
	times := MomentsFor(viewer, v.Now())
	for _, l := range links {
		notices = append(notices, emergencyNotice(l, times))
	}
	return notices, err
}

// emergencyNotice describes an emergency link.
func emergencyNotice(l storage.EmergencyLink, times Moments) words.Sentence {
	var email any = l.Email
	if l.Email == "" {
		email = words.Say("emergency.deleted")
	}
	when, used := times.Write(l.OpenedAt).Text, times.Write(l.UsedAt).Text
	switch {
	case l.UsedAt != 0 && l.UserID == "":
		return words.Say("emergency.used-new", "When", used, "Email", email, "HostUser", l.HostUser)
	case l.UsedAt != 0:
		return words.Say("emergency.used-renew", "When", used, "Email", email, "HostUser", l.HostUser)
	case l.UserID == "":
		return words.Say("emergency.open-new", "When", when, "HostUser", l.HostUser)
	}
	return words.Say("emergency.open-renew", "When", when, "Email", email, "HostUser", l.HostUser)
}
