package api

import (
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"signet/provider/directory"
	"signet/provider/web"
	"signet/storage"
)

// invitationOperations lists the operations on invitations.
func (h *Handler) invitationOperations() []operation {
	invitation := func(o operation) operation {
		o.tag, o.scope = "invitations", storage.ScopeAdminUsers
		return o
	}
	return []operation{
		invitation(operation{
			methods: "GET|HEAD", path: "/admin/api/v1/invitations", id: "list-invitations", summary: "List the invitations, the newest first, until a day after they expire",
			reads: true, parameters: pageParameters, result: reflect.TypeFor[page[directory.InvitationDocument]](), serve: h.listInvitations,
		}),
		invitation(operation{
			methods: "POST", path: "/admin/api/v1/invitations", id: "create-invitation", summary: "Invite a person to create an account; a newer invitation of an address replaces the older one",
			body: invitationSchema(), result: reflect.TypeFor[newInvitation](), secrets: []string{"link"}, created: true, tagged: true,
			errors: []int{http.StatusConflict}, serve: h.createInvitation,
		}),
		invitation(operation{
			methods: "GET|HEAD", path: "/admin/api/v1/invitations/{id}", id: "get-invitation", summary: "Show an invitation",
			reads: true, result: reflect.TypeFor[directory.InvitationDocument](), tagged: true, errors: []int{http.StatusNotFound}, serve: h.showInvitation,
		}),
		invitation(operation{
			methods: "DELETE", path: "/admin/api/v1/invitations/{id}", id: "delete-invitation", summary: "Make an invitation invalid; an account that it has created stays",
			errors: []int{http.StatusNotFound}, serve: h.deleteInvitation,
		}),
	}
}

const invitationList = "invitations"

func (h *Handler) listInvitations(c *call) (reply, error) {
	after, err := h.position(c, invitationList)
	if err != nil {
		return reply{}, err
	}
	list, err := h.DB.Invitations(c.Context(), storage.InvitationFilter{Before: invitationAt(after)}, c.query.limit()+1, h.Now())
	if err != nil {
		return reply{}, err
	}
	p, err := pageOf(h, c, invitationList, list, directory.DescribeInvitation, positionOfInvitation)
	return reply{body: p}, err
}

// positionOfInvitation is the position of an invitation in the list: its time and its holder.
func positionOfInvitation(i storage.SentInvitation) string {
	return strconv.FormatInt(int64(i.Link.CreatedAt), 10) + " " + i.Link.Holder
}

// invitationAt returns the invitation at a position, with time and holder only.
func invitationAt(position string) (i storage.SentInvitation) {
	at, holder, _ := strings.Cut(position, " ")
	millis, _ := strconv.ParseInt(at, 10, 64) // the cursor is sealed
	i.Link.CreatedAt, i.Link.Holder = storage.Millis(millis), holder
	return i
}

func (h *Handler) showInvitation(c *call) (reply, error) {
	list, err := h.DB.Invitations(c.Context(), storage.InvitationFilter{ID: c.PathValue("id")}, 1, h.Now())
	if err != nil {
		return reply{}, err
	}
	if len(list) == 0 {
		return reply{}, storage.ErrNotFound
	}
	return reply{body: directory.DescribeInvitation(list[0])}, nil
}

func invitationSchema() *huma.Schema {
	text := func(about string) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Description: about} }
	texts := func(about string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}, Description: about}
	}
	return object(map[string]*huma.Schema{
		"email": text(""), "name": text("full name; the person can change it"), "roles": texts("roles of the new user"), "groups": texts("groups of the new user"),
		"admin":          boolean("makes the new user an administrator of this server"),
		"email_verified": boolean("confirms that you hand the link to the owner of the address, so that it counts as proven"),
		"client_id":      text("client to which the person goes on"),
		"mail":           boolean("mail the link to the address too; without it, if a mail server is set up"),
	}, "email")
}

// newInvitation is an invitation that was just made.
type newInvitation struct {
	directory.InvitationDocument
	Mailed bool   `json:"mailed" doc:"the link is mailed to the address too"`
	Link   string `json:"link" doc:"URL for the person; it works once. Only the mailed one proves the address"`
}

var errNoMail = errors.New("no mail server is set up: set smtp.host, or send mail=false")

func (h *Handler) createInvitation(c *call) (reply, error) {
	if err := c.requireMembers(directory.CheckReservedFields); err != nil {
		return reply{}, err
	}
	draft := storage.InvitationDraft{Mail: h.SendsMails, Checks: []storage.InvitationCheck{directory.CheckInvitationEnd(c.caller.scopes)}}
	draft.Admin, draft.EmailVerified = c.is("admin"), c.is("email_verified")
	draft.Email, _ = c.members["email"].(string)
	draft.Name, _ = c.members["name"].(string)
	draft.ClientID, _ = c.members["client_id"].(string)
	c.setList("roles", &draft.Roles)
	c.setList("groups", &draft.Groups)
	if mail := c.optional("mail"); mail != nil {
		draft.Mail = *mail
	}
	if draft.Mail && !h.SendsMails {
		return reply{}, &fieldError{"mail", web.Because("no_mail", errNoMail)}
	}
	made, err := h.Directory.Invite(c.Context(), draft, c.origin())
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return reply{}, atField("invalid_value", "client_id", "there is no such client")
	case err != nil:
		return reply{}, addressTaken(err)
	}
	address, err := h.Links.URL(made.Ref(), made.ExpiresAt.Time())
	if err != nil {
		return reply{}, err
	}
	decided, err := made.Invitation()
	described := directory.DescribeInvitation(storage.SentInvitation{Link: made, Invitation: decided, State: storage.InvitationOpen})
	return reply{body: newInvitation{described, draft.Mail, address}, object: described, location: root + "/invitations/" + made.ID}, err
}

func (h *Handler) deleteInvitation(c *call) (reply, error) {
	return reply{}, h.Directory.RevokeInvitationByID(c.Context(), c.PathValue("id"), c.origin(), directory.CheckInvitationEnd(c.caller.scopes))
}
