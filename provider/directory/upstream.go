package directory

import (
	"errors"
	"time"

	"signet/storage"
)

// UpstreamProfile removes the values that break a rule from a profile of an upstream, since
// nobody can correct them during the sign-in. It returns the rest of the profile, and the
// removed values for the log. Names that are too long or have invisible characters are not
// removed: storage cleans them.
//
// A username must be one word, as in CheckProfile, or verifiedEmail, the email address that
// the upstream has verified ("" if it has not). Another address could look like another
// person's.
func UpstreamProfile(p storage.Profile, verifiedEmail string, at time.Time) (allowed storage.Profile, removed []*FieldError) {
	for _, wrong := range CheckProfile(&p, storage.Profile{}, at) {
		if errors.Is(wrong, ErrLongName) || errors.Is(wrong, errHiddenName) {
			continue
		}
		if wrong.Field == "preferred_username" && sameAddress(p.PreferredUsername, verifiedEmail) {
			continue
		}
		removed = append(removed, wrong)
		for _, f := range profileFields {
			if f.Name == wrong.Field {
				*f.Value(&p) = ""
			}
		}
	}
	return p, removed
}

// sameAddress reports whether a and b are valid and equal email addresses.
func sameAddress(a, b string) bool {
	one, err := storage.CanonicalEmail(a)
	if err != nil {
		return false
	}
	other, err := storage.CanonicalEmail(b)
	return err == nil && one == other
}
