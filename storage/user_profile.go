package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Profile is what people edit of themselves, and what upstreams say of them: the standard
// claims of OIDC Core, section 5.1, without the e-mail, which has to be proven first.
// Empty means absent. As JSON it has the names of the claims.
type Profile struct {
	Name              string  `json:"name,omitempty"`
	GivenName         string  `json:"given_name,omitempty"`
	FamilyName        string  `json:"family_name,omitempty"`
	MiddleName        string  `json:"middle_name,omitempty"`
	Nickname          string  `json:"nickname,omitempty"`
	PreferredUsername string  `json:"preferred_username,omitempty"`
	ProfileURL        string  `json:"profile,omitempty"` // the claim profile: the address of a page about the person
	Picture           string  `json:"picture,omitempty"`
	Website           string  `json:"website,omitempty"`
	Gender            string  `json:"gender,omitempty"`
	Birthdate         string  `json:"birthdate,omitempty"`
	Zoneinfo          string  `json:"zoneinfo,omitempty"`
	Locale            string  `json:"locale,omitempty"`
	PhoneNumber       string  `json:"phone_number,omitempty"`
	Address           Address `json:"address,omitzero"`

	Seen Millis `json:"-"` // User.UpdatedAt of the version that was edited; zero: any version
}

// ProfileOf gives the profile of a user, as it is.
func ProfileOf(u User) Profile {
	return Profile{
		Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName, MiddleName: u.MiddleName, Nickname: u.Nickname,
		PreferredUsername: u.PreferredUsername, ProfileURL: u.Profile, Picture: u.Picture, Website: u.Website, Gender: u.Gender,
		Birthdate: u.Birthdate, Zoneinfo: u.Zoneinfo, Locale: u.Locale, PhoneNumber: u.PhoneNumber, Address: u.Address,
	}
}

// ApplyTo writes the profile into a user. A phone number that is not the one before is not
// verified.
func (p Profile) ApplyTo(u *User) {
	u.PhoneNumberVerified = u.PhoneNumberVerified && u.PhoneNumber == p.PhoneNumber
	u.Name, u.GivenName, u.FamilyName, u.MiddleName, u.Nickname = p.Name, p.GivenName, p.FamilyName, p.MiddleName, p.Nickname
	u.PreferredUsername, u.Profile, u.Picture, u.Website = p.PreferredUsername, p.ProfileURL, p.Picture, p.Website
	u.Gender, u.Birthdate, u.Zoneinfo, u.Locale = p.Gender, p.Birthdate, p.Zoneinfo, p.Locale
	u.PhoneNumber, u.Address = p.PhoneNumber, p.Address
}

// setProfile writes all of a profile but preferred_username, whose uniqueness is decided
// apart; its parameters are profileValues. A new phone number is not verified.
const setProfile = `name = ?, given_name = ?, family_name = ?, middle_name = ?, nickname = ?, profile = ?, picture = ?, website = ?,
	gender = ?, birthdate = ?, zoneinfo = ?, locale = ?, address = ?,
	phone_number_verified = CASE WHEN phone_number = ? THEN phone_number_verified ELSE FALSE END, phone_number = ?,
	updated_at = CASE WHEN updated_at < ? THEN ? ELSE updated_at + 1 END -- never the same twice
	`

func profileValues(p Profile, at Millis) ([]any, error) {
	address, err := engine.JSONText(p.Address)
	return []any{
		p.Name, p.GivenName, p.FamilyName, p.MiddleName, p.Nickname, p.ProfileURL, p.Picture, p.Website,
		p.Gender, p.Birthdate, p.Zoneinfo, p.Locale, address, p.PhoneNumber, p.PhoneNumber, at, at,
	}, err
}

// UpdateProfile replaces the profile of an enabled user. Event user.updated.
//
// ErrConflict: the user was changed after Seen, and the edit would undo that.
// ErrUsernameTaken: another user has the new preferred_username, or one that looks like
// it; one that the user has already may stay.
// ErrRevoked: the user is gone or disabled.
func (db *DB) UpdateProfile(ctx context.Context, userID string, p Profile, by By) error {
	if err := refuseImpossible(userID); err != nil {
		return fmt.Errorf("update profile: %w", err)
	}
	values, err := profileValues(p, At(by.At))
	if err != nil {
		return fmt.Errorf("update profile: %w", err)
	}
	values = append(values, p.PreferredUsername, FoldUsername(p.PreferredUsername), p.PreferredUsername, userID, p.Seen, p.Seen)
	return db.write(ctx, "update profile", func(tx *gorm.DB) error {
		updated, err := changed(tx, `UPDATE users SET `+setProfile+`,
				username_folded = CASE WHEN preferred_username = ? THEN username_folded ELSE ? END, preferred_username = ?
			WHERE id = ? AND disabled_at = 0 AND (updated_at = ? OR CAST(? AS BIGINT) = 0)`, values...)
		if err != nil {
			return usernameRace(err)
		}
		if !updated {
			return whyNotUpdated(tx, userID)
		}
		return record(tx, Event{Type: UserUpdated, Outcome: Succeeded, UserID: userID, From: by.From}, by.At)
	})
}

func whyNotUpdated(tx *gorm.DB, userID string) error {
	var enabled int64
	err := tx.Model(&User{}).Where("id = ? AND disabled_at = 0", userID).Count(&enabled).Error
	switch {
	case err != nil:
		return err
	case enabled == 0:
		return ErrRevoked
	}
	return ErrConflict
}

// followed are the texts of a profile that follow an upstream, in a fixed order: all but
// preferred_username, which a person is known by.
func (p *Profile) followed() []*string {
	return []*string{
		&p.Name, &p.GivenName, &p.FamilyName, &p.MiddleName, &p.Nickname, &p.ProfileURL, &p.Picture, &p.Website,
		&p.Gender, &p.Birthdate, &p.Zoneinfo, &p.Locale, &p.PhoneNumber,
	}
}

// storable makes what an upstream says storable: see cleanText. A link or a number that
// cleaning would change is none.
func (p Profile) storable() Profile {
	p.PreferredUsername, p.Seen = "", 0
	names := []*string{&p.Name, &p.GivenName, &p.FamilyName, &p.MiddleName, &p.Nickname, &p.Gender, &p.Locale}
	for _, name := range names {
		*name = cleanText(*name, longestName)
	}
	return p
}

// following takes over what an upstream says of the user, text by text where the user's
// is still what the upstream said before: a text that a user has edited or emptied stays so,
// and a text that the upstream leaves out is not emptied. It gives the values that are to be
// remembered as the upstream's.
func (own *Profile) following(said, before Profile) (remembered Profile) {
	now, then, mine := said.followed(), before.followed(), own.followed()
	for i := range now {
		switch {
		case *now[i] == "":
			*now[i] = *then[i]
		case *mine[i] == *then[i]:
			*mine[i] = *now[i]
		}
	}
	switch {
	case said.Address == Address{}:
		said.Address = before.Address
	case own.Address == before.Address:
		own.Address = said.Address
	}
	return said
}
