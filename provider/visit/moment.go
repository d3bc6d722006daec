package visit

import (
	"time"

	"signet/federation/foreign"
	"signet/storage"
	"signet/templates"
	"signet/templates/words"
)

// Moments formats times for one user, relative to one present time.
type Moments struct {
	now  time.Time
	zone *time.Location
}

// MomentsFor returns Moments in the time zone of the user's profile, or in UTC without one.
// Each formatted time includes the zone, so readers cannot confuse them.
func MomentsFor(u storage.User, now time.Time) Moments {
	location, err := foreign.TimeZone(u.Zoneinfo)
	if err != nil {
		location = time.UTC
	}
	return Moments{now, location}
}

// Write formats a time. The zero time gives the zero Moment.
func (m Moments) Write(at storage.Millis) templates.Moment {
	t := at.Time()
	if t.IsZero() {
		return templates.Moment{}
	}
	return templates.Moment{
		ISO:  t.Format(time.RFC3339),
		Text: templates.WriteTime(t, m.zone),
		Ago:  ago(m.now.Sub(t)),
	}
}

// ago formats the time since a moment, or until it, in its largest whole unit. Up to a minute
// in the future counts as now, since clocks of nodes differ.
func ago(d time.Duration) words.Sentence {
	const day = 24 * time.Hour
	switch {
	case d <= -day:
		return words.Say("moment.in-days", "Count", int(-d/day))
	case d <= -time.Hour:
		return words.Say("moment.in-hours", "Count", int(-d/time.Hour))
	case d < -time.Minute:
		return words.Say("moment.in-minutes", "Count", int(-d/time.Minute))
	case d < time.Minute:
		return words.Say("moment.just-now")
	case d < time.Hour:
		return words.Say("moment.minutes-ago", "Count", int(d/time.Minute))
	case d < day:
		return words.Say("moment.hours-ago", "Count", int(d/time.Hour))
	}
	return words.Say("moment.days-ago", "Count", int(d/day))
}
