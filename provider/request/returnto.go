package request

import (
	"net/url"
	"strings"
)

// ReturnTo checks the return_to of a first-party app: a path of the issuer (see
// LocalPath), or a URL at one of the app's origins. It returns the address to use, and
// false for any other address.
func (c *Requests) ReturnTo(returnTo string) (string, bool) {
	for _, origin := range c.Origins {
		rest, found := strings.CutPrefix(returnTo, origin)
		// After the origin only these may follow: any other character would extend the host
		// or the port.
		if found && (rest == "" || strings.ContainsRune("/?#", rune(rest[0]))) {
			if len(returnTo) > maxReturnTo || !hasOnlyPlainCharacters(returnTo) {
				return "", false
			}
			return returnTo, true
		}
	}
	return LocalPath(returnTo, c.Base)
}

// maxReturnTo is the length limit of a return address, in characters. One response contains
// the address and the app's tokens: see web.MaxHeaderBlock.
const maxReturnTo = 768

// hasOnlyPlainCharacters reports whether the address consists of printable ASCII characters
// without space and backslash: browsers read a backslash as a slash and drop tabs and line
// breaks.
func hasOnlyPlainCharacters(address string) bool {
	return !strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == '\\' || r > '~' })
}

// LocalPath checks that return_to is a path of the issuer, with or without a query, that no
// browser could read as another host. It returns the path to use, and false for any other
// address.
func LocalPath(returnTo, base string) (string, bool) {
	if !strings.HasPrefix(returnTo, base+"/") || len(returnTo) > maxReturnTo || !hasOnlyPlainCharacters(returnTo) {
		return "", false
	}
	u, err := url.Parse(returnTo)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	// Dot segments and double slashes lead out of the base. None of our paths needs a
	// percent-escape, so escapes are refused: they could hide such segments.
	path := returnTo
	if end := strings.IndexAny(path, "?#"); end >= 0 {
		path = path[:end]
	}
	if strings.Contains(path, "//") || strings.Contains(path, "%") {
		return "", false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return "", false
		}
	}
	return returnTo, true
}
