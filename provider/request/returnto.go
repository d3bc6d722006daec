package request

import (
	"net/url"
	"strings"
)

// ReturnTo checks the return_to of a first-party app: a path of the issuer (see
// LocalPath), or a URL whose origin is one of the app's. It gives the address as it
// may be used, and false for anything else.
func (c *Requests) ReturnTo(returnTo string) (string, bool) {
	for _, origin := range c.Origins {
		rest, found := strings.CutPrefix(returnTo, origin)
		// What follows an origin and is none of these would go on with its host or port.
		if found && (rest == "" || strings.ContainsRune("/?#", rune(rest[0]))) {
			if len(returnTo) > longestReturn || !plain(returnTo) {
				return "", false
			}
			return returnTo, true
		}
	}
	return LocalPath(returnTo, c.Base)
}

// longestReturn bounds an address to return to, in characters: one answer holds it beside
// the app's tokens, see web.MaxHeaderBlock.
const longestReturn = 768

// plain: browsers read a backslash as a slash and drop tabs and line breaks.
func plain(address string) bool {
	return !strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == '\\' || r > '~' })
}

// LocalPath checks a return_to: a path of the issuer, with its query, and
// nothing that a browser could read as another host. It gives the path as it may
// be used, and false for anything else.
func LocalPath(returnTo, base string) (string, bool) {
	if !strings.HasPrefix(returnTo, base+"/") || len(returnTo) > longestReturn || !plain(returnTo) {
		return "", false
	}
	u, err := url.Parse(returnTo)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	// Dot segments and doubled slashes lead out of the base. No path of ours needs
	// an escape, so nothing can hide in one, however often someone decodes it.
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
