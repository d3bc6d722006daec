// Package static holds the style sheet, the script and the icon of the pages,
// embedded and served under names that carry their hash, so that a browser may
// keep them for ever.
//
// Only these files are ever compressed. Pages are not: they carry tickets beside
// reflected input, and compressed length would tell one about the other (BREACH).
//
// The package does not know pages; it knows bytes and their names.
package static
