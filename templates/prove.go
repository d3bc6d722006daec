package templates

import "regexp"

// ConnectorButton is one upstream that people can sign in through.
type ConnectorButton struct {
	ID   string
	Kind string // google, github …: picks the mark
	Name string
	Last bool // used last in this browser
}

// Prove asks the owner of an account to sign in to it once, so that the upstream
// identity that has just come can be connected to it.
type Prove struct {
	Common
	Request   string
	Email     string // the account's; fixed
	Connector ConnectorButton
	Back      string // path of the sign-in page, for another way in
	Error     *FormError
}

func (Prove) page() string { return "prove.html" }

// connectorMark is the file of an upstream's own mark, "" where we have none.
func connectorMark(kind string) string {
	switch kind {
	case "google", "github":
		return kind + ".svg"
	}
	return ""
}

// unescaped holds ids that can be part of a path and of an element's id as they are.
// Which ids connectors may have is a rule of package federation.
var unescaped = regexp.MustCompile(`^[a-z0-9-]+$`)

// usable leaves out the buttons that could not work.
func usable(buttons []ConnectorButton) []ConnectorButton {
	var list []ConnectorButton
	for _, b := range buttons {
		if unescaped.MatchString(b.ID) {
			list = append(list, b)
		}
	}
	return list
}
