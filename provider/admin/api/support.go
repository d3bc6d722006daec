package api

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"signet/provider/directory"
	"signet/provider/web"
	"signet/storage"
)

// supportOperations lists the operations that help a locked-out user, or take ways to sign in away.
func (h *Handler) supportOperations() []operation {
	users := func(o operation) operation {
		o.tag, o.scope = "users", storage.ScopeAdminUsers
		return o
	}
	reason := &huma.Schema{Type: huma.TypeString, Description: "why the user needs this, for the audit event; at most 200 characters"}
	var uses []any
	for _, use := range directory.LinkUses() {
		uses = append(uses, use)
	}
	return []operation{
		users(operation{
			methods: "POST", path: "/admin/api/v1/users/{sub}/links", id: "create-link", summary: "Make a one-time link with which a user sets a password or adds a passkey",
			parameters: []parameter{unprovenParameter},
			body: object(map[string]*huma.Schema{
				"for": {Type: huma.TypeString, Enum: uses, Description: "what the user does with the link"}, "reason": reason,
			}, "for", "reason"),
			result: reflect.TypeFor[linkDocument](), secrets: []string{"link"}, errors: []int{http.StatusNotFound, http.StatusConflict}, serve: h.createLink,
		}),
		users(operation{
			methods: "POST", path: "/admin/api/v1/users/{sub}/factors/reset", id: "reset-factors", summary: "Remove all factors of a user except the password, and end all sessions and tokens",
			body: object(map[string]*huma.Schema{"reason": reason}, "reason"), result: reflect.TypeFor[removedFactors](), errors: []int{http.StatusNotFound}, serve: h.resetFactors,
		}),
		users(operation{
			methods: "DELETE", path: "/admin/api/v1/users/{sub}/identities/{id}", id: "delete-identity", summary: "Remove an identity from a user, and end the sessions and tokens that it opened",
			parameters: []parameter{{name: "allow_last", kind: flag, about: "true: remove it even if it is the last way to sign in"}},
			errors:     []int{http.StatusNotFound, http.StatusConflict}, serve: h.deleteIdentity,
		}),
	}
}

var errLastWayIn = errors.New("the user has no other way to sign in: make a link for a password first, or send allow_last=true")

// support returns the limits of the caller, with the reason in the body.
func (c *call) support() (storage.Support, error) {
	reason, _ := c.members["reason"].(string)
	s := storage.Support{Note: reason, Alone: !c.caller.isAdmin(), Checks: []storage.UserCheck{c.checkTarget}}
	return s, directory.CheckReason(reason)
}

// linkDocument is a one-time link.
type linkDocument struct {
	Link      string    `json:"link" doc:"URL for the user; it works once"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (h *Handler) createLink(c *call) (reply, error) {
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	support, err := c.support()
	if err != nil {
		return reply{}, err
	}
	use, _ := c.members["for"].(string)
	made, err := h.Directory.Link(c.Context(), directory.UserLink{
		UserID: u.ID, For: use, Reason: byOperator, Unproven: unprovenPolicies[c.query.text("unproven")], Support: support,
	}, c.origin())
	if err != nil {
		return reply{}, err
	}
	return h.linkReply(made)
}

// linkReply answers with the URL of a link.
func (h *Handler) linkReply(made storage.MailLink) (reply, error) {
	address, err := h.Links.URL(made.Ref(), made.ExpiresAt.Time())
	return reply{body: linkDocument{address, made.ExpiresAt.Time()}}, err
}

// removedFactors are the factors that a reset has removed.
type removedFactors struct {
	Removed []directory.FactorDocument `json:"removed"`
}

func (h *Handler) resetFactors(c *call) (reply, error) {
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	support, err := c.support()
	if err != nil {
		return reply{}, err
	}
	removed, err := h.Directory.ResetFactors(c.Context(), storage.FactorReset{UserID: u.ID, Support: support}, c.origin())
	return reply{body: removedFactors{directory.DescribeFactors(removed)}}, err
}

func (h *Handler) deleteIdentity(c *call) (reply, error) {
	if c.query.flag("allow_last") && !c.caller.isAdmin() {
		return reply{}, &fieldError{"allow_last", because("scope_missing", "removing the last way to sign in needs the scope "+storage.ScopeAdminAll)}
	}
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	identities, err := h.DB.IdentitiesOf(c.Context(), u.ID)
	if err != nil {
		return reply{}, err
	}
	i := slices.IndexFunc(identities, func(i storage.Identity) bool { return i.Key() == c.PathValue("id") })
	if i < 0 {
		return reply{}, storage.ErrNotFound
	}
	err = h.DB.UnlinkIdentity(c.Context(), storage.IdentityRemoval{
		Identity: identities[i], Connectors: h.connectorIDs(), AllowLast: c.query.flag("allow_last"), Checks: []storage.UserCheck{c.checkTarget}, From: c.origin(),
	}, h.Now())
	if web.CauseOf(err) == "conflict" {
		err = web.Because("last_way_in", errLastWayIn)
	}
	return reply{}, err
}
