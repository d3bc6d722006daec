package interaction

import (
	"context"
	"strings"

	"signet/federation"
	"signet/provider/directory"
	"signet/provider/web"
	"signet/storage"
)

// profileFrom returns the profile from the upstream, without the fields that break the
// rules of profiles. It has a user name only if the settings map a claim to it.
func (h *Handler) profileFrom(ctx context.Context, t trip) storage.Profile {
	i := t.identity
	p := storage.Profile{
		Name: i.Name, GivenName: i.GivenName, MiddleName: i.MiddleName, FamilyName: i.FamilyName, Nickname: i.Nickname,
		ProfileURL: i.ProfileURL, Picture: i.Picture, Website: i.Website, Gender: i.Gender, Birthdate: i.Birthdate,
		Zoneinfo: i.Zoneinfo, Locale: i.Locale, PhoneNumber: i.PhoneNumber, Address: storage.Address(i.Address),
	}
	if t.connector.MapsUsername() {
		p.PreferredUsername = i.Username
	}
	vouched := ""
	if i.HasTrustedEmail() {
		vouched = i.Email
	}
	kept, left := directory.UpstreamProfile(p, vouched, h.Now())
	if len(left) > 0 {
		var fields []string
		for _, wrong := range left {
			fields = append(fields, wrong.Field)
		}
		web.TraceOf(ctx).Note("upstream_claims_left_out", strings.Join(fields, " "))
	}
	return kept
}

// groupsFrom returns the groups from the upstream, which replace the groups of the last
// sign-in. If the settings of the connector map no claim to groups, there are none.
func groupsFrom(ctx context.Context, i federation.Identity) *storage.AssertedGroups {
	said := storage.AssertedGroups{Refused: i.GroupsRefused}
	if said.Refused == "" {
		said = directory.UpstreamGroups(i.Groups)
	}
	if said.Refused != "" {
		web.TraceOf(ctx).Note("upstream_groups", said.Refused)
	}
	return &said
}
