package request

import (
	"net/url"
	"strings"
)

// LocalPath checks a return_to: a path of the issuer, with its query, and
// nothing that a browser could read as another host. It gives the path as it may
// be used, and false for anything else.
func LocalPath(returnTo, base string) (string, bool) {
	if !strings.HasPrefix(returnTo, base+"/") || len(returnTo) > 1024 {
		return "", false
	}
	// Browsers read a backslash as a slash and drop tabs and line breaks.
	for _, r := range returnTo {
		if r <= ' ' || r == '\\' || r == 0x7f || r > '~' {
			return "", false
		}
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
