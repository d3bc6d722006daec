package templates

import "errors"

// FormPost is a response to a client as a form (OAuth 2.0 Form Post Response Mode). The script
// sends the form at once; without scripts, the person presses the button.
type FormPost struct {
	Common
	URL    string // redirect URI of the client: http or https; Write refuses anything else
	Fields []Field
}

// Field is a hidden field of the form. The name of a parameter never comes from a request.
type Field struct{ Parameter, Value string }

func (FormPost) page() string { return "formpost.html" }

var errNoWebAddress = errors.New("not an http or https address")

// target is the action of a form that posts to a client. It stops the page if the address is
// not http or https, because a browser would run a script or lose the fields.
func target(address string) (string, error) {
	if webScheme(address) == "" {
		return "", errNoWebAddress
	}
	return address, nil
}
