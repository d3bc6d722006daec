package admin

import (
	"time"

	"signet/provider/keys/keeper"
	"signet/storage"
	"signet/templates"
)

// Sizes in the units of the drawing, which the page scales.
const (
	timelineWidth  = 700
	timelineLabel  = 120 // left of the bars
	timelineRow    = 26
	timelineBar    = 14
	timelineHead   = 24 // above the first row: the label "today"
	timelineFoot   = 18 // below the last row: the label of the next rotation, which may be close to today
	thinnestBar    = 2
	timelineMargin = 20 // right of the last bar
)

// timelineOf draws the schedule of all keys that are not revoked: when each key is
// published, signs, and only verifies.
func timelineOf(list []keeper.Scheduled, now time.Time) templates.KeyTimeline {
	var shown []keeper.Scheduled
	for _, k := range list {
		if k.State != storage.KeyRevoked {
			shown = append(shown, k)
		}
	}
	if len(shown) == 0 {
		return templates.KeyTimeline{}
	}
	scale := scaleOf(shown, now)
	foot := timelineHead + timelineRow*len(shown)
	drawn := templates.KeyTimeline{Width: timelineWidth, Height: foot + timelineFoot, Foot: foot, Today: scale.x(now)}
	for i, k := range shown {
		y := timelineHead + i*timelineRow
		row := templates.KeyTimelineRow{Label: k.Line + " " + string(k.State), Y: y + timelineBar - 2}
		for _, p := range phasesOf(k, now) {
			if x := scale.x(p.from); p.until.After(p.from) {
				row.Bars = append(row.Bars, templates.KeyTimelineBar{
					Signing: p.kind == signing, Checking: p.kind == checking, X: x, Y: y, Width: max(scale.x(p.until)-x, thinnestBar), Height: timelineBar,
				})
			}
		}
		drawn.Rows = append(drawn.Rows, row)
		if k.State == storage.KeyNext && k.Line != storage.InternalLine && (drawn.Rotation == 0 || scale.x(k.SignsFrom) < drawn.Rotation) {
			drawn.Rotation = scale.x(k.SignsFrom)
		}
	}
	return drawn
}

type phaseKind int

const (
	published phaseKind = iota // does not sign yet
	signing
	checking // only verifies
)

// phase is a part of a key's life.
type phase struct {
	kind        phaseKind
	from, until time.Time
}

func phasesOf(k keeper.Scheduled, now time.Time) []phase {
	created, activated, retired := k.CreatedAt.Time(), k.ActivatedAt.Time(), k.RetiredAt.Time()
	switch k.State {
	case storage.KeyActive:
		stops := k.SignsUntil
		if stops.Before(now) {
			stops = now
		}
		return []phase{{published, created, activated}, {signing, activated, stops}, {checking, stops, k.PublishedUntil}}
	case storage.KeyRetired:
		return []phase{{published, created, activated}, {signing, activated, retired}, {checking, retired, k.PublishedUntil}}
	}
	return []phase{{published, created, k.SignsFrom}}
}

// scale converts times to x coordinates. Secrets of the internal line are valid for months.
// Their bars end at the edge of the drawing, so that the bars of the other keys do not
// become too short to read.
type scale struct{ from, until time.Time }

func scaleOf(list []keeper.Scheduled, now time.Time) scale {
	s := scale{now, now.Add(time.Minute)}
	for _, k := range list {
		for _, p := range phasesOf(k, now) {
			if p.from.Before(s.from) {
				s.from = p.from
			}
			if p.until.After(s.until) && k.Line != storage.InternalLine {
				s.until = p.until
			}
		}
	}
	return s
}

func (s scale) x(t time.Time) int {
	const width = timelineWidth - timelineLabel - timelineMargin
	part := t.Sub(s.from).Seconds() / s.until.Sub(s.from).Seconds()
	return timelineLabel + int(width*min(part, 1))
}
