package directory

import (
	"errors"
	"time"

	"signet/storage"
)

// UpstreamProfile gives what the rules allow of a profile that an upstream brought: a value
// that breaks one is left out, since nobody is there to correct it, and is listed for the
// log. Names that are long or hold marks stay, and storage cleans them.
//
// A user name is a word, as people may choose one themselves, or the address that the
// upstream vouches for ("" for none): any other address could pass for another person's.
func UpstreamProfile(p storage.Profile, vouched string, at time.Time) (kept storage.Profile, left []*FieldError) {
	for _, wrong := range CheckProfile(&p, storage.Profile{}, at) {
		if errors.Is(wrong, ErrLongName) || errors.Is(wrong, errHiddenName) {
			continue
		}
		if wrong.Field == "preferred_username" && sameAddress(p.PreferredUsername, vouched) {
			continue
		}
		left = append(left, wrong)
		for _, f := range profileFields {
			if f.Name == wrong.Field {
				*f.Value(&p) = ""
			}
		}
	}
	return p, left
}

func sameAddress(a, b string) bool {
	one, err := storage.CanonicalEmail(a)
	if err != nil {
		return false
	}
	other, err := storage.CanonicalEmail(b)
	return err == nil && one == other
}
