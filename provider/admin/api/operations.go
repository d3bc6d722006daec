package api

import (
	"net/http"
	"reflect"
	"slices"

	"signet/provider/directory"
	"signet/storage"
)

// operations lists all operations of the API, by resource.
func (h *Handler) operations() []operation {
	return slices.Concat(
		[]operation{{
			methods: "GET|HEAD", path: "/admin/api/v1/me", id: "get-me", tag: "me", summary: "Show the service or the person of the token, and its scopes",
			anyScope: true, result: reflect.TypeFor[meDocument](), serve: h.showMe,
		}},
		h.userOperations(),
		h.supportOperations(),
		h.sessionOperations(),
		h.clientOperations(),
		h.secretOperations(),
		h.eventOperations(),
		h.invitationOperations(),
		h.mailOperations(),
		h.keyOperations(),
		h.connectorOperations(),
	)
}

// userOperations lists the operations on users and on their sessions, grants, identities and factors.
func (h *Handler) userOperations() []operation {
	user := func(o operation) operation {
		o.tag, o.scope = "users", storage.ScopeAdminUsers
		return o
	}
	return []operation{
		user(operation{
			methods: "GET|HEAD", path: "/admin/api/v1/users", id: "list-users", summary: "List users by email address; users without one follow",
			reads: true, parameters: slices.Concat(userFilters, pageParameters), result: reflect.TypeFor[page[directory.UserDocument]](), serve: h.listUsers,
		}),
		user(operation{
			methods: "POST", path: "/admin/api/v1/users", id: "create-user", summary: "Create a user",
			body: newUserSchema(), result: reflect.TypeFor[directory.UserDocument](), created: true, tagged: true, errors: []int{http.StatusConflict}, serve: h.createUser,
		}),
		user(operation{
			methods: "GET|HEAD", path: "/admin/api/v1/users/{sub}", id: "get-user", summary: "Show a user",
			reads: true, result: reflect.TypeFor[directory.UserDocument](), tagged: true, errors: []int{http.StatusNotFound}, serve: h.showUser,
		}),
		user(operation{
			methods: "PATCH", path: "/admin/api/v1/users/{sub}", id: "update-user", summary: "Change a user by a JSON Merge Patch (RFC 7396)",
			parameters: []parameter{unprovenParameter}, body: userSchema(), result: reflect.TypeFor[directory.UserDocument](), tagged: true,
			errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed}, serve: h.changeUser,
		}),
		user(operation{
			methods: "DELETE", path: "/admin/api/v1/users/{sub}", id: "delete-user", summary: "Delete a user permanently, with all data",
			errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed}, serve: h.deleteUser,
		}),
		{
			methods: "PUT", path: "/admin/api/v1/users/{sub}/admin_role", id: "set-admin-role", tag: "users", scope: storage.ScopeAdminAll,
			summary: "Give a user a role of administration, in place of the present one", parameters: []parameter{unprovenParameter}, body: adminRoleSchema(),
			result: reflect.TypeFor[directory.UserDocument](), tagged: true,
			errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed}, serve: h.setAdminRole,
		},
		{
			methods: "DELETE", path: "/admin/api/v1/users/{sub}/admin_role", id: "remove-admin-role", tag: "users", scope: storage.ScopeAdminAll,
			summary: "Remove the role of administration from a user", errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed}, serve: h.removeAdminRole,
		},
		user(operation{
			methods: "GET|HEAD", path: "/admin/api/v1/users/{sub}/sessions", id: "list-sessions", summary: "List the sessions of a user, the last seen first",
			reads: true, result: reflect.TypeFor[page[directory.SessionDocument]](), errors: []int{http.StatusNotFound}, serve: h.listSessions,
		}),
		user(operation{
			methods: "DELETE", path: "/admin/api/v1/users/{sub}/sessions", id: "end-sessions", summary: "Sign a user out everywhere; tokens for offline access end too",
			errors: []int{http.StatusNotFound, http.StatusPreconditionFailed}, serve: h.endSessions,
		}),
		user(operation{
			methods: "DELETE", path: "/admin/api/v1/users/{sub}/sessions/{sid}", id: "end-session", summary: "End one session of a user",
			errors: []int{http.StatusNotFound}, serve: h.endSession,
		}),
		user(operation{
			methods: "GET|HEAD", path: "/admin/api/v1/users/{sub}/grants", id: "list-grants", summary: "List the clients with access to the account of a user",
			reads: true, result: reflect.TypeFor[page[grantDocument]](), errors: []int{http.StatusNotFound}, serve: h.listGrants,
		}),
		user(operation{
			methods: "DELETE", path: "/admin/api/v1/users/{sub}/grants/{client_id}", id: "delete-grant", summary: "Withdraw the consent of a user to a client, and end its tokens",
			errors: []int{http.StatusNotFound}, serve: h.endGrant,
		}),
		user(operation{
			methods: "GET|HEAD", path: "/admin/api/v1/users/{sub}/identities", id: "list-identities", summary: "List the identities of a user at upstreams",
			reads: true, result: reflect.TypeFor[page[directory.IdentityDocument]](), errors: []int{http.StatusNotFound}, serve: h.listIdentities,
		}),
		user(operation{
			methods: "GET|HEAD", path: "/admin/api/v1/users/{sub}/factors", id: "list-factors", summary: "List the factors of a user by kind and name",
			reads: true, result: reflect.TypeFor[page[directory.FactorDocument]](), errors: []int{http.StatusNotFound}, serve: h.listFactors,
		}),
	}
}
