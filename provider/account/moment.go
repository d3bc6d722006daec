package account

import (
	"errors"
	"strconv"
	"time"

	"signet/storage"
	"signet/templates"
)

var errNoZone = errors.New("not the name of a time zone")

// moments writes times for one person at one time.
type moments struct {
	now  time.Time
	zone *time.Location
}

// momentsFor writes in the zone of the user's profile, else in UTC: the zone
// stands beside each time, so neither is mistaken for the other.
func momentsFor(u storage.User, now time.Time) moments {
	location, err := zone(u.Zoneinfo)
	if err != nil {
		location = time.UTC
	}
	return moments{now, location}
}

// Moment writes a time for a user at a time.
func Moment(u storage.User, now time.Time, at storage.Millis) templates.Moment {
	return momentsFor(u, now).write(at)
}

func (m moments) write(at storage.Millis) templates.Moment {
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

// ago tells how long it is since, or until: a minute ahead is another node's clock.
func ago(d time.Duration) string {
	switch {
	case d < -time.Minute:
		return "in " + span(-d)
	case d < time.Minute:
		return "just now"
	}
	return span(d) + " ago"
}

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
