package subject

import (
	"fmt"

	"signet/provider/keys"
	"signet/storage"
)

// Subjects makes the subjects of users. It reads no database. Only pairwise subjects can fail:
// keys.ErrNoKey.
type Subjects struct{ ring *keys.Ring }

// New returns the Subjects of one provider.
func New(ring *keys.Ring) Subjects { return Subjects{ring} }

// OfUser returns the subject under which the client sees a user.
func (s Subjects) OfUser(c storage.Client, u storage.User) (string, error) {
	return s.of(c, u.ID, u.PublicSubject())
}

// OfGrant returns the subject under which the client of a grant sees its user.
func (s Subjects) OfGrant(c storage.Client, g storage.Grant) (string, error) {
	return s.of(c, g.UserID, g.PublicSubject())
}

// OfNotice returns the subject under which the client of a notice sees its user, who may be
// deleted.
func (s Subjects) OfNotice(c storage.Client, n storage.Notice) (string, error) {
	return s.of(c, n.UserID, n.PublicSubject())
}

// CheckGrant checks that a token of the client with this subject belongs to the grant. A token
// from before a change of the client's subject_type does not.
//
// storage.ErrNotFound: it does not.
func (s Subjects) CheckGrant(c storage.Client, g storage.Grant, subject string) error {
	want, err := s.OfGrant(c, g)
	if err == nil && want != subject {
		err = fmt.Errorf("compare subject: %w", storage.ErrNotFound)
	}
	return err
}

func (s Subjects) of(c storage.Client, userID, public string) (string, error) {
	if c.Metadata.SubjectType != storage.SubjectPairwise {
		return public, nil
	}
	if c.Sector == "" {
		return "", fmt.Errorf("make pairwise subject: client %s has no sector", c.ID)
	}
	return s.ring.PairwiseSubject(c.Sector, userID)
}
