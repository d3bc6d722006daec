package provider

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"signet/federation"
	"signet/provider/interaction"
	"signet/provider/web"
)

// connectorSegment is the segment of a route's path that stands for the id of a connector.
const connectorSegment = "{connector}"

// CheckConnectorID reports why a connector cannot have this id: it breaks the rule of
// federation.CheckID, or a page of Signet already has the path that the connector would
// get.
func CheckConnectorID(id string) error {
	if slices.Contains(reservedConnectorIDs(), id) {
		return fmt.Errorf("is %s, which is taken: choose another (a page of Signet has this path)", id)
	}
	return federation.CheckID(id)
}

// reservedConnectorIDs lists the ids that CheckConnectorID refuses. They come from the
// routes of the sign-in pages, the only ones with connectors in their paths; a test
// compares them with the list of all routes.
var reservedConnectorIDs = sync.OnceValue(func() []string { return reservedBy(new(interaction.Handler).Routes()) })

// reservedBy returns the path segments of routes that are at the position where another
// route has the id of a connector.
func reservedBy(routes []web.Route) []string {
	var words []string
	for _, route := range routes {
		before, _, has := strings.Cut(route.Path, connectorSegment)
		if !has {
			continue
		}
		for _, other := range routes {
			rest, below := strings.CutPrefix(other.Path, before)
			word, _, _ := strings.Cut(rest, "/")
			if below && word != "" && !strings.HasPrefix(word, "{") && !slices.Contains(words, word) {
				words = append(words, word)
			}
		}
	}
	return words
}
