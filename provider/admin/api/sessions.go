package api

import (
	"net/http"
	"reflect"

	"signet/provider/directory"
	"signet/storage"
)

// sessionOperations lists the operations on a session whose user the caller need not know.
func (h *Handler) sessionOperations() []operation {
	return []operation{
		{
			methods: "GET|HEAD", path: "/admin/api/v1/sessions/{sid}", id: "get-session", tag: "sessions", summary: "Show a session, with its user and its clients",
			scope: storage.ScopeAdminUsers, reads: true, result: reflect.TypeFor[directory.SessionDocument](), errors: []int{http.StatusNotFound}, serve: h.showSession,
		},
		{
			methods: "DELETE", path: "/admin/api/v1/sessions/{sid}", id: "delete-session", tag: "sessions", summary: "End a session",
			scope: storage.ScopeAdminUsers, errors: []int{http.StatusNotFound}, serve: h.deleteSession,
		},
	}
}

func (h *Handler) showSession(c *call) (reply, error) {
	at := h.Now()
	s, u, err := h.DB.Session(c.Context(), c.PathValue("sid"), at)
	if err != nil {
		return reply{}, err
	}
	clients, err := h.DB.ClientsBySession(c.Context(), u.ID, at)
	return reply{body: directory.DescribeSession(u, s, clients[s.ID])}, err
}

func (h *Handler) deleteSession(c *call) (reply, error) {
	at := h.Now()
	s, u, err := h.DB.Session(c.Context(), c.PathValue("sid"), at)
	if err != nil {
		return reply{}, err
	}
	return reply{}, h.DB.EndSession(c.Context(), u.ID, s.ID, byOperator, storage.By{From: c.origin(), At: at}, c.checkTarget)
}
