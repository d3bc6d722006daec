package storage

// Device is a browser with which a user has signed in. It has no row: the browser stores it,
// sealed.
type Device struct {
	ID     string `json:"d"`
	UserID string `json:"u"`
	Since  Millis `json:"s"` // when the last session of that browser began
}

// KnownTo reports whether the user has signed in with that browser since everything of the user
// was last ended. An older device does not count, because another person with the old password
// may have created it.
func (d Device) KnownTo(u User) bool {
	return d.ID != "" && d.UserID == u.ID && d.Since > u.NotBefore
}
