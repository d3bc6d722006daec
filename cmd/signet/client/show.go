package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"signet/cmd/signet/cli"
	"signet/provider/directory"
	"signet/storage"
)

// described is a client as the commands show it.
type described directory.ClientDescription

// describe returns the members of a client. secret is the new secret; "" if none was made. rules knows
// which fields have no effect.
func describe(rules *directory.Directory, c storage.Client, secret string) described {
	list := described(rules.DescribeClient(c))
	if secret == "" {
		return list
	}
	made := described{{Name: "client_secret", Value: secret}, {Name: "client_secret_expires_at", Value: 0}} // RFC 7591, section 3.2.1
	return slices.Insert(list, 1, made...)
}

// MarshalJSON returns an object with the members in their order.
func (d described) MarshalJSON() ([]byte, error) { return directory.ClientDescription(d).MarshalJSON() }

// rows returns the rows of the table. It has a row for the authentication method of a client for which
// none was chosen, too.
func (d described) rows() [][]string {
	var rows [][]string
	chosen, place := false, 0
	for i, m := range d {
		rows = append(rows, []string{m.Name, textOfMember(m)})
		chosen = chosen || m.Name == "token_endpoint_auth_method"
		if slices.Contains([]string{"type", "redirect_uris", "post_logout_redirect_uris"}, m.Name) {
			place = i + 1
		}
	}
	if !chosen {
		rows = slices.Insert(rows, place, []string{"token_endpoint_auth_method", "client_secret_basic or client_secret_post (not set)"})
	}
	return rows
}

// textOfMember returns the value of a member in the table.
func textOfMember(m directory.ClientMember) string {
	switch value := m.Value.(type) {
	case []string:
		return strings.Join(value, " ")
	case json.RawMessage:
		return onOneLine(string(value))
	case time.Time:
		return cli.FormatTime(value)
	case []storage.Federation:
		return textOfFederations(value)
	case int64:
		if m.Name == "client_id_issued_at" {
			return cli.FormatTime(time.Unix(value, 0))
		}
	case int:
		return "never" // client_secret_expires_at
	}
	return fmt.Sprint(m.Value)
}

// onOneLine removes the spaces and line breaks between the parts of a JSON document.
func onOneLine(document string) string {
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(document)) != nil {
		return document
	}
	return compact.String()
}

// showClient prints a client. secret is the new secret; "" if none was made.
func (p commands) showClient(rules *directory.Directory, c storage.Client, secret string, asJSON bool) error {
	if secret != "" {
		p.Say("save the client secret now: it is not stored and will not be shown again")
	}
	d := describe(rules, c, secret)
	if asJSON {
		return p.WriteJSON(d)
	}
	return p.WriteTable(d.rows())
}

// sayWhatIsMissing names the command that gives a client the proof with which it authenticates, if
// it has none.
func (p commands) sayWhatIsMissing(c storage.Client) {
	switch {
	case c.HasSecret() && c.Secrets[0].Hash == "":
		p.Say("the client has no secret yet; create one with: signet client secret rotate %s", c.ID)
	case c.AllowsAuthMethod(storage.AuthPrivateKey) && c.Metadata.JWKS == "" && c.Metadata.JWKSURI == "" && len(c.Federations) == 0:
		p.Say("the client has no keys yet; add them with: signet client update %s --jwks FILE, or --jwks-uri URL; or let the tokens of another issuer prove it with: signet client federation add %s KIND --subject PATTERN", c.ID, c.ID)
	}
}
