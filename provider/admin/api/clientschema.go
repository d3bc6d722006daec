package api

import (
	"maps"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"signet/provider/directory"
	"signet/storage"
)

// clientFieldSchema returns the schema of the values of a field.
func clientFieldSchema(f directory.ClientField) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Description: f.Help()}
	switch f.At(new(storage.Client)).(type) {
	case *[]string:
		s.Type, s.Items = huma.TypeArray, &huma.Schema{Type: huma.TypeString}
	case *bool:
		s.Type = huma.TypeBoolean
	case **int64:
		s.Type = huma.TypeInteger
	case *time.Duration:
		s.Description += "; a text such as 30s"
	case *directory.Words:
		s.Description += "; words are separated by spaces"
	}
	if f.Name == "jwks" {
		s.Type, s.AdditionalProperties = huma.TypeObject, true
	}
	return s
}

// clientSchema is the schema of the changes of a client. null takes a value away.
func clientSchema() *huma.Schema {
	members := map[string]*huma.Schema{}
	for _, f := range directory.ClientFields() {
		s := clientFieldSchema(f)
		s.Nullable = f.Name != "client_name" && f.Name != "type"
		members[f.Name] = s
	}
	members["enabled"] = boolean("false: sign-ins and tokens of the client are refused until it is enabled again")
	return object(members)
}

// newClientSchema is the schema of a new client, or of the client that replaces another.
func newClientSchema() *huma.Schema {
	return object(clientSchema().Properties, "client_name")
}

// chosenClientSchema is newClientSchema with an optional id.
func chosenClientSchema() *huma.Schema {
	members := maps.Clone(clientSchema().Properties)
	members["client_id"] = &huma.Schema{Type: huma.TypeString, Description: "without it, a random id"}
	return object(members, "client_name")
}

// The schemas of the answers about clients, see directory.DescribeClient.
var (
	describedClientSchema = named("Client", func() *huma.Schema { return object(clientAnswer(), clientAnswerRequired...) })
	madeClientSchema      = named("MadeClient", func() *huma.Schema {
		members := clientAnswer()
		members["client_secret"] = &huma.Schema{Type: huma.TypeString, Description: "shown only in this answer; absent for a client without a secret"}
		members["client_secret_expires_at"] = &huma.Schema{Type: huma.TypeInteger, Description: "0: never (RFC 7591, section 3.2.1)"}
		members[maskedMember] = boolean("true in a repeated answer, which has no secrets")
		return object(members, clientAnswerRequired...)
	})
	clientPageSchema = named("ClientPage", func() *huma.Schema {
		return object(map[string]*huma.Schema{
			"items": {Type: huma.TypeArray, Items: object(clientAnswer(), clientAnswerRequired...)},
			"next":  {Type: huma.TypeString, Description: "value of the parameter after for the next page; absent on the last page"},
		}, "items")
	})
)

var clientAnswerRequired = []string{"client_id", "client_id_issued_at", "client_name", "type", "enabled"}

// clientAnswer returns the members of the JSON form of a client.
func clientAnswer() map[string]*huma.Schema {
	texts := func(about string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}, Description: about}
	}
	moment := func(about string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, Format: "date-time", Description: about}
	}
	members := map[string]*huma.Schema{
		"client_id":             {Type: huma.TypeString},
		"client_id_issued_at":   {Type: huma.TypeInteger, Description: "Unix seconds (RFC 7591, section 3.2.1)"},
		"enabled":               boolean(""),
		"registered_at":         moment("present if the client registered itself"),
		"approved":              boolean("whether an administrator approved a client that registered itself"),
		"old_secret_expires_at": moment("end of the secret before the last"),
		"federations":           {Type: huma.TypeArray, Items: federationSchema(), Description: "foreign issuers whose tokens prove the client"},
		"without_effect":        texts("fields that do nothing with the settings of this server"),
	}
	for _, f := range directory.ClientFields() {
		members[f.Name] = clientFieldSchema(f)
	}
	return members
}

func federationSchema() *huma.Schema {
	members := map[string]*huma.Schema{}
	for _, name := range []string{"name", "kind", "issuer", "jwks_uri", "audience", "subject"} {
		members[name] = &huma.Schema{Type: huma.TypeString}
	}
	return object(members, "name", "kind", "issuer", "subject")
}
