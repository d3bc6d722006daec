package federationtest

import (
	"io"
	"net/url"

	"golang.org/x/net/html"
)

// formFields returns the input fields that a browser would post with the form of a page.
func formFields(page io.Reader) (url.Values, error) {
	root, err := html.Parse(page)
	if err != nil {
		return nil, err
	}
	values := url.Values{}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || n.Data != "input" {
			continue
		}
		var name, value string
		for _, a := range n.Attr {
			switch a.Key {
			case "name":
				name = a.Val
			case "value":
				value = a.Val
			}
		}
		values.Add(name, value)
	}
	return values, nil
}
