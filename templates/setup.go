package templates

// Setup is the page on which the first administrator is made.
type Setup struct {
	Common
	Token     string // of the one-time link, as a hidden field
	Email     string // kept after an error
	Name      string // likewise
	MinLength int    // of a password; 0: not said
	Error     *FormError
}

func (Setup) page() string { return "setup.html" }
