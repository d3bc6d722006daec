package visit

import (
	"strconv"
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
		Text: t.In(m.zone).Format("2 January 2006, 15:04 MST"),
		Ago:  ago(m.now.Sub(t)),
	}
}

// ago formats the time since a moment, or until it. Up to a minute in the future counts as
// now, since clocks of nodes differ.
func ago(d time.Duration) words.Sentence {
	switch {
	case d < -time.Minute:
		return words.Unlisted("in " + span(-d))
	case d < time.Minute:
		return words.Unlisted("just now")
	}
	return words.Unlisted(span(d) + " ago")
}

// span formats a duration in its largest whole unit.
func span(d time.Duration) string {
	switch {
	case d < time.Hour:
		return count(d, time.Minute, "minute")
	case d < 24*time.Hour:
		return count(d, time.Hour, "hour")
	}
	return count(d, 24*time.Hour, "day")
}

func count(d, unit time.Duration, word string) string {
	n := int(d / unit)
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}
