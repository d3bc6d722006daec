package storage

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"signet/storage/engine"
)

// Profile holds the values that people edit about themselves and that upstreams send about them.
// These are the standard claims of OIDC Core, section 5.1, without the email address, which
// needs a proof. Empty means absent. Its JSON members are the names of the claims.
type Profile struct {
	Name              string  `json:"name,omitempty"`
	GivenName         string  `json:"given_name,omitempty"`
	FamilyName        string  `json:"family_name,omitempty"`
	MiddleName        string  `json:"middle_name,omitempty"`
	Nickname          string  `json:"nickname,omitempty"`
	PreferredUsername string  `json:"preferred_username,omitempty"`
	ProfileURL        string  `json:"profile,omitempty"` // the claim profile: URL of a page about the person
	Picture           string  `json:"picture,omitempty"`
	Website           string  `json:"website,omitempty"`
	Gender            string  `json:"gender,omitempty"`
	Birthdate         string  `json:"birthdate,omitempty"`
	Zoneinfo          string  `json:"zoneinfo,omitempty"`
	Locale            string  `json:"locale,omitempty"`
	PhoneNumber       string  `json:"phone_number,omitempty"`
	Address           Address `json:"address,omitzero"`

	Seen Millis `json:"-"` // User.UpdatedAt of the edited version; zero: any version
}

// ProfileOf returns the profile of a user.
func ProfileOf(u User) Profile {
	return Profile{
		Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName, MiddleName: u.MiddleName, Nickname: u.Nickname,
		PreferredUsername: u.PreferredUsername, ProfileURL: u.Profile, Picture: u.Picture, Website: u.Website, Gender: u.Gender,
		Birthdate: u.Birthdate, Zoneinfo: u.Zoneinfo, Locale: u.Locale, PhoneNumber: u.PhoneNumber, Address: u.Address,
	}
}

// ApplyTo writes the profile into u. A changed phone number is no longer verified.
func (p Profile) ApplyTo(u *User) {
	u.PhoneNumberVerified = u.PhoneNumberVerified && u.PhoneNumber == p.PhoneNumber
	u.Name, u.GivenName, u.FamilyName, u.MiddleName, u.Nickname = p.Name, p.GivenName, p.FamilyName, p.MiddleName, p.Nickname
	u.PreferredUsername, u.Profile, u.Picture, u.Website = p.PreferredUsername, p.ProfileURL, p.Picture, p.Website
	u.Gender, u.Birthdate, u.Zoneinfo, u.Locale = p.Gender, p.Birthdate, p.Zoneinfo, p.Locale
	u.PhoneNumber, u.Address = p.PhoneNumber, p.Address
}

// setProfile is the assignment of all columns of a profile except preferred_username, which must
// be unique and needs its own check. Its parameters are profileValues. A changed phone number is
// no longer verified.
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

// UpdateProfile replaces the profile of an enabled user. It records the event user.updated.
//
// ErrConflict: the user was changed after p.Seen, and the edit would undo that change.
// ErrUsernameTaken: another user has the new preferred_username, or one that looks like it; an
// unchanged name is accepted. ErrRevoked: the user is deleted or disabled.
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
		before, err := db.lockUser(tx, userID)
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return ErrRevoked
		}
		if err != nil {
			return err
		}
		updated, err := changeOne(tx, `UPDATE users SET `+setProfile+`,
				username_folded = CASE WHEN preferred_username = ? THEN username_folded ELSE ? END, preferred_username = ?
			WHERE id = ? AND disabled_at = 0 AND (updated_at = ? OR CAST(? AS BIGINT) = 0)`, values...)
		if err != nil {
			return asUsernameTaken(err)
		}
		if !updated {
			return explainNotUpdated(tx, userID)
		}
		after := before
		p.ApplyTo(&after)
		detail := changesOf(before.recordedFields(), after.recordedFields())
		return record(tx, Event{Type: UserUpdated, Outcome: Succeeded, UserID: userID, From: by.From, Detail: detail}, by.At)
	})
}

func explainNotUpdated(tx *gorm.DB, userID string) error {
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

// followedFields returns the texts of a profile that are updated from an upstream, in a fixed
// order. preferred_username is not one of them, because people are known by it.
func (p *Profile) followedFields() []*string {
	return []*string{
		&p.Name, &p.GivenName, &p.FamilyName, &p.MiddleName, &p.Nickname, &p.ProfileURL, &p.Picture, &p.Website,
		&p.Gender, &p.Birthdate, &p.Zoneinfo, &p.Locale, &p.PhoneNumber,
	}
}

// cleaned returns the profile from an upstream in a storable form: see cleanText. It does not
// clean links and numbers.
func (p Profile) cleaned() Profile {
	p.PreferredUsername, p.Seen = "", 0
	names := []*string{&p.Name, &p.GivenName, &p.FamilyName, &p.MiddleName, &p.Nickname, &p.Gender, &p.Locale}
	for _, name := range names {
		*name = cleanText(*name, longestName)
	}
	return p
}

// followUpstream updates each text that is still the upstream's earlier value (before) to the
// new value (asserted). A text that the user has edited or emptied stays. A text that the
// upstream no longer sends is not emptied. It returns the values to store as the upstream's.
func (own *Profile) followUpstream(asserted, before Profile) (remembered Profile) {
	now, then, mine := asserted.followedFields(), before.followedFields(), own.followedFields()
	for i := range now {
		switch {
		case *now[i] == "":
			*now[i] = *then[i]
		case *mine[i] == *then[i]:
			*mine[i] = *now[i]
		}
	}
	switch {
	case asserted.Address == Address{}:
		asserted.Address = before.Address
	case own.Address == before.Address:
		own.Address = asserted.Address
	}
	return asserted
}
