package templates

import (
	"net/url"
	"strings"
)

// ownPath returns s if it is a path of this origin, otherwise "". For a browser, two slashes
// or a slash and a backslash begin a host.
func ownPath(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(s, "/") || strings.Contains(s, `\`) || strings.HasPrefix(s, "//") {
		return ""
	}
	return s
}

// httpsLink returns s if it is an https address with a host, otherwise "".
func httpsLink(s string) string {
	if webScheme(s) == "https" {
		return s
	}
	return ""
}

// webLink returns s if it is an http or https address or a path of this origin, otherwise "".
// So no link runs a script or opens a program.
func webLink(s string) string {
	if address := webAddress(s); address != "" {
		return address
	}
	return ownPath(s)
}

// webAddress returns s if it is an http or https address with a host, otherwise "".
func webAddress(s string) string {
	if webScheme(s) != "" {
		return s
	}
	return ""
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

// isAppLink reports whether s hands the secret of a new second factor to an authenticator app.
func isAppLink(s string) bool { return strings.HasPrefix(s, "otpauth://totp/") }
