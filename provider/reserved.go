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

// connectorSegment is the part of a route's path that holds the id of a connector.
const connectorSegment = "{connector}"

// CheckConnectorID says why a connector cannot have that id: the rule of federation.CheckID,
// or a page of Signet has the path that the connector would have.
func CheckConnectorID(id string) error {
	if slices.Contains(reservedConnectorIDs(), id) {
		return fmt.Errorf("is %s, which is taken: choose another (a page of Signet has this path)", id)
	}
	return federation.CheckID(id)
}

// reservedConnectorIDs are made, once, of the routes of the sign-in pages, which alone have
// connectors in their paths. A test holds them against the list of all routes.
var reservedConnectorIDs = sync.OnceValue(func() []string { return reservedBy(new(interaction.Handler).Routes()) })

// reservedBy gives the words that stand in the path of a route where another route has the
// id of a connector.
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
