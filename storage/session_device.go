package storage

// Device is a browser that a user has signed in with. It is no row: the browser
// carries it, sealed.
type Device struct {
	ID     string `json:"d"`
	UserID string `json:"u"`
	Since  Millis `json:"s"` // when the session began that was last signed in to there
}

// KnownTo reports whether the user has signed in there, and has not ended all
// since: whoever learned the old password may have made himself known with it.
func (d Device) KnownTo(u User) bool {
	return d.ID != "" && d.UserID == u.ID && d.Since > u.NotBefore
}
