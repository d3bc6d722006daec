package templates

// Error is every page that says something went wrong.
type Error struct {
	Common
	Status    int
	Code      string // stable: "invalid_redirect_uri"
	Title     string // "Sign-in cannot start"
	Text      string // a plain sentence, and what to do
	Detail    []Difference
	Reference string // the request id, for the log
	StartURL  string // "Start again"; "" for none
	StartText string
}

func (Error) page() string { return "error.html" }

// Difference shows what was received beside what was registered (development).
type Difference struct {
	Label      string
	Received   string
	Registered []string
}
