package api

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"signet/provider/directory"
	"signet/provider/web"
	"signet/storage"
)

// userFilters are the parameters that select users.
var userFilters = []parameter{
	{name: "email", about: "only users whose email address begins with this"},
	{name: "preferred_username", about: "only the user with this name or a similar one"},
	{name: "clashing_username", kind: flag, about: "true: only users whose preferred_username another user has too"},
	{name: "admin", kind: flag, about: "true: only users with a role of administration"},
	{name: "disabled", kind: flag, about: "true: only disabled users"},
}

const userList = "users"

func (h *Handler) listUsers(c *call) (reply, error) {
	after, err := h.position(c, userList)
	if err != nil {
		return reply{}, err
	}
	users, err := h.DB.Users(c.Context(), storage.UserFilter{
		Email: c.query.text("email"), Username: c.query.text("preferred_username"), Clashing: c.query.flag("clashing_username"),
		Admins: c.query.flag("admin"), Disabled: c.query.flag("disabled"), After: after,
	}, c.query.limit()+1)
	if err != nil {
		return reply{}, err
	}
	p, err := pageOf(h, c, userList, users, directory.DescribeUser, storage.User.ListPosition)
	return reply{body: p}, err
}

// user returns the user in the path.
func (h *Handler) user(c *call) (storage.User, error) {
	u, err := h.DB.UserBySubject(c.Context(), c.PathValue("sub"))
	c.userID = u.ID
	return u, err
}

func (h *Handler) showUser(c *call) (reply, error) {
	u, err := h.user(c)
	return reply{body: directory.DescribeUser(u)}, err
}

// userSchema is the schema of the changes of a user. null takes a value away.
func userSchema() *huma.Schema {
	members, address := map[string]*huma.Schema{}, map[string]*huma.Schema{}
	for _, f := range directory.ProfileFields() {
		if part, is := strings.CutPrefix(f.Name, "address."); is {
			address[part] = nullableText("")
			continue
		}
		members[f.Name] = nullableText("")
	}
	members["address"] = object(address)
	members["address"].Nullable = true
	members["email"] = &huma.Schema{Type: huma.TypeString, Description: "a new address signs the user out everywhere"}
	members["email_verified"] = boolean("true confirms that the address belongs to the user; it is a first proof, see the parameter unproven")
	members["phone_number_verified"] = boolean("")
	members["roles"] = nullableTexts("replaces the list")
	members["groups"] = nullableTexts("replaces the list of groups that operators gave")
	members["enabled"] = boolean("false ends all sessions and tokens, and refuses sign-ins")
	return object(members)
}

// newUserSchema is the schema of a new user.
func newUserSchema() *huma.Schema {
	members := maps.Clone(userSchema().Properties)
	delete(members, "enabled")
	members["sub"] = &huma.Schema{Type: huma.TypeString, Description: "subject of the user at clients, such as that of a former system; it cannot change later"}
	members["password"] = &huma.Schema{Type: huma.TypeString, WriteOnly: true, Description: "without it the user cannot sign in with a password"}
	return object(members, "email")
}

// unprovenParameter is the policy for an account with an unproven address. Another person may have
// set up its password, identities, sessions and tokens.
var unprovenParameter = parameter{
	name: "unproven", kind: word, words: []string{"stop", "evict", "keep"},
	about: "what happens to the password, identities, sessions and tokens of an account with an unproven address, before its user gets more rights: " +
		"stop (the default) refuses the change, evict deletes them, keep keeps them",
}

var unprovenPolicies = map[string]storage.UnprovenPolicy{
	"": storage.StopIfAttached, "stop": storage.StopIfAttached, "evict": storage.EvictAttached, "keep": storage.KeepAttached,
}

// requireMembers refuses members that the caller may not set. check is a rule of package directory.
func (c *call) requireMembers(check func([]string) error) error {
	if c.caller.isAdmin() {
		return nil
	}
	return check(slices.Collect(maps.Keys(c.members)))
}

// checkTarget refuses to change an administrator for a caller that may not do everything.
func (c *call) checkTarget(u storage.User) error {
	if c.caller.isAdmin() {
		return nil
	}
	return directory.CheckPlainUser(u)
}

// userChecks are the checks of a change of a user, in the transaction of the change.
func (c *call) userChecks() []storage.UserCheck {
	return []storage.UserCheck{c.checkTarget, func(u storage.User) error { return c.checkMatch(directory.DescribeUser(u)) }}
}

func (h *Handler) createUser(c *call) (reply, error) {
	if err := c.requireMembers(directory.CheckReservedFields); err != nil {
		return reply{}, err
	}
	u := storage.User{EmailVerified: c.is("email_verified"), PhoneNumberVerified: c.is("phone_number_verified")}
	u.ChosenSubject, _ = c.members["sub"].(string)
	password, _ := c.members["password"].(string)
	c.applyTo(&u)
	created, err := h.Directory.CreateUser(c.Context(), u, password, c.origin(), directory.CheckInvitationEnd(c.caller.scopes))
	if err != nil {
		return reply{}, addressTaken(err)
	}
	c.userID = created.ID
	return reply{body: directory.DescribeUser(created), location: root + "/users/" + created.ID}, nil
}

// addressTaken says which member is in the way if err is a conflict.
func addressTaken(err error) error {
	if web.CauseOf(err) != "conflict" {
		return err
	}
	return &fieldError{"email", web.WithAdvice(err, "another user has this email address")}
}

func (h *Handler) changeUser(c *call) (reply, error) {
	if err := c.requireMembers(directory.CheckReservedChanges); err != nil {
		return reply{}, err
	}
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	_, named := c.members["email"]
	revised, err := h.Directory.ReviseUser(c.Context(), storage.UserRevision{
		UserID: u.ID, Verified: c.optional("email_verified"), PhoneVerified: c.optional("phone_number_verified"), Enabled: c.optional("enabled"),
		Settle: named, Unproven: unprovenPolicies[c.query.text("unproven")], From: c.origin(), Checks: c.userChecks(),
		Revise: func(u *storage.User) error { c.applyTo(u); return nil },
	})
	if err != nil {
		return reply{}, addressTaken(err)
	}
	return reply{body: directory.DescribeUser(revised.User)}, nil
}

// is reports whether a member is true.
func (c *call) is(name string) bool {
	value, _ := c.members[name].(bool)
	return value
}

// optional returns a member, nil if it is absent.
func (c *call) optional(name string) *bool {
	if value, is := c.members[name].(bool); is {
		return &value
	}
	return nil
}

// applyTo sets the values of the members. null empties a value (RFC 7396).
func (c *call) applyTo(u *storage.User) {
	profile := storage.ProfileOf(*u)
	address, hasAddress := c.members["address"]
	parts, _ := address.(map[string]any)
	for _, f := range directory.ProfileFields() {
		part, isPart := strings.CutPrefix(f.Name, "address.")
		value, named := c.members[f.Name]
		if isPart {
			value, named = parts[part]
			named = named || hasAddress && address == nil
		}
		if named {
			*f.Value(&profile), _ = value.(string)
		}
	}
	verified := u.PhoneNumberVerified
	profile.ApplyTo(u)
	if u.ID == "" { // a new user: the caller decides, see directory.CheckUser
		u.PhoneNumberVerified = verified
	}
	if email, named := c.members["email"].(string); named {
		u.Email = email
	}
	c.setList("roles", &u.Roles)
	c.setList("groups", &u.Groups)
}

func (c *call) setList(name string, list *[]string) {
	value, named := c.members[name]
	if !named {
		return
	}
	*list = nil
	entries, _ := value.([]any)
	for _, entry := range entries {
		text, _ := entry.(string)
		*list = append(*list, text)
	}
}

func (h *Handler) deleteUser(c *call) (reply, error) {
	u, err := h.user(c)
	if err != nil {
		return reply{}, err
	}
	return reply{}, h.Directory.DeleteUser(c.Context(), u.ID, c.origin(), c.userChecks()...)
}
