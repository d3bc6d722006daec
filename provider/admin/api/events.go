package api

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"signet/provider/directory"
	"signet/storage"
)

// eventOperations lists the operations on audit events. Nothing changes or deletes an event.
func (h *Handler) eventOperations() []operation {
	return []operation{
		{
			methods: "GET|HEAD", path: "/admin/api/v1/events", id: "list-events", tag: "events", summary: "List the audit events, the newest first",
			scope: storage.ScopeAdminAll, reads: true, parameters: slices.Concat(eventFilters, pageParameters), result: reflect.TypeFor[page[directory.EventDocument]](), serve: h.listEvents,
		},
		{
			methods: "GET|HEAD", path: "/admin/api/v1/events/{id}", id: "get-event", tag: "events", summary: "Show an audit event",
			scope: storage.ScopeAdminAll, reads: true, result: reflect.TypeFor[directory.EventDocument](), errors: []int{http.StatusNotFound}, serve: h.showEvent,
		},
	}
}

// eventFilters are the parameters that select events.
var eventFilters = []parameter{
	{name: "type", kind: word, words: eventTypes(), about: "only events of this type"},
	{name: "sub", about: "only events of this user, who may be deleted by now"},
	{name: "client_id", about: "only events of this client"},
	{name: "outcome", kind: word, words: []string{string(storage.Succeeded), string(storage.Refused)}, about: "only events with this outcome"},
	{name: "since", kind: moment, about: "only events at or after this time"},
}

func eventTypes() []string {
	var types []string
	for _, t := range storage.EventTypes {
		types = append(types, string(t))
	}
	slices.Sort(types)
	return types
}

const eventList = "events"

func (h *Handler) listEvents(c *call) (reply, error) {
	after, err := h.position(c, eventList)
	if err != nil {
		return reply{}, err
	}
	user, err := h.userID(c, c.query.text("sub"))
	if err != nil {
		return reply{}, err
	}
	events, err := h.DB.Events(c.Context(), storage.EventFilter{
		Type: storage.EventType(c.query.text("type")), UserID: user, ClientID: c.query.text("client_id"),
		Outcome: storage.Outcome(c.query.text("outcome")), Since: c.query.moment("since"), Before: eventAt(after),
	}, c.query.limit()+1)
	if err != nil {
		return reply{}, err
	}
	p, err := pageOf(h, c, eventList, events, directory.DescribeEvent, positionOfEvent)
	return reply{body: p}, err
}

// userID returns the id of the user with a subject. Events of deleted users stay, so an unknown
// subject is taken for an id.
func (h *Handler) userID(c *call, subject string) (string, error) {
	if subject == "" {
		return "", nil
	}
	u, err := h.DB.UserBySubject(c.Context(), subject)
	if errors.Is(err, storage.ErrNotFound) {
		return subject, nil
	}
	return u.ID, err
}

// positionOfEvent is the position of an event in a list: its time and its id.
func positionOfEvent(e storage.Event) string { return strconv.FormatInt(int64(e.At), 10) + " " + e.ID }

// eventAt returns the event at a position, with time and id only.
func eventAt(position string) storage.Event {
	at, id, _ := strings.Cut(position, " ")
	millis, _ := strconv.ParseInt(at, 10, 64) // the cursor is sealed
	return storage.Event{At: storage.Millis(millis), ID: id}
}

func (h *Handler) showEvent(c *call) (reply, error) {
	e, err := h.DB.Event(c.Context(), c.PathValue("id"))
	return reply{body: directory.DescribeEvent(e)}, err
}
