package templates

import (
	"net/url"
	"strings"
)

// ownPath gives back a path of this origin, and "" for anything else. Two slashes,
// or a slash and a backslash, begin a host to a browser.
func ownPath(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(s, "/") || strings.Contains(s, `\`) || strings.HasPrefix(s, "//") {
		return ""
	}
	return s
}

// httpsLink gives back an https address with a host, and "" for anything else.
func httpsLink(s string) string {
	if webScheme(s) == "https" {
		return s
	}
	return ""
}

// webLink gives back an http or https address or a path of this origin, and ""
// for anything else: a link that would run script or open a program is not shown.
func webLink(s string) string {
	if webScheme(s) != "" {
		return s
	}
	return ownPath(s)
}

func webScheme(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return ""
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		return u.Scheme
	}
	return ""
}
