// Package static holds the style sheet, the script and the icons of the pages,
// embedded and served under names that carry their hash, so that a browser may
// keep them for ever.
package static
