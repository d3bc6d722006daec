package passkey

import (
	_ "embed"
	"strings"
)

// makerList has one line for each known model of authenticator: its AAGUID, a space and the name of the
// product. It is sorted. makerlist.go writes it from the source that NOTICE names.
//
//go:generate go run makerlist.go
//go:embed makers.txt
var makerList string

// makerOf returns the name of the product with an AAGUID, or "" if it is unknown. An authenticator can
// state any AAGUID, so the name is only the first name of a passkey and decides nothing.
func makerOf(aaguid string) string {
	for line := range strings.Lines(makerList) {
		if known, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " "); known == aaguid {
			return name
		}
	}
	return ""
}
