package interaction

import (
	"context"
	"strings"

	"signet/federation"
	"signet/provider/directory"
	"signet/provider/web"
	"signet/storage"
)

// profileBrought is the profile that an upstream brought, as far as the rules of profiles
// allow it. It names new users only if the settings say by which claim.
func (h *Handler) profileBrought(ctx context.Context, t trip) storage.Profile {
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

// groupsBrought are the groups that an upstream brought, which take the place of those of
// the last sign-in. A connector whose settings name no claim for groups brings none.
func groupsBrought(ctx context.Context, i federation.Identity) *storage.AssertedGroups {
	said := storage.AssertedGroups{Refused: i.GroupsRefused}
	if said.Refused == "" {
		said = directory.UpstreamGroups(i.Groups)
	}
	if said.Refused != "" {
		web.TraceOf(ctx).Note("upstream_groups", said.Refused)
	}
	return &said
}
