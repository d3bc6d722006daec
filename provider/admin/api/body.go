package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// compiled holds the compiled schemas by the id of the operation. They do not depend on the
// settings, and a reload of the settings makes a new Handler.
var compiled sync.Map

// compileBodies compiles the schemas of all bodies. The library that checks a body is another one
// than the library that writes the document: the latter accepts members in another case.
func compileBodies(list []operation) error {
	for i := range list {
		o := &list[i]
		if o.body == nil {
			continue
		}
		if known, found := compiled.Load(o.id); found {
			o.checkBody = known.(*jsonschema.Schema)
			continue
		}
		content, err := json.Marshal(o.body)
		if err != nil {
			return fmt.Errorf("schema of %s: %w", o.id, err)
		}
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(content)))
		if err != nil {
			return fmt.Errorf("schema of %s: %w", o.id, err)
		}
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource(o.id, document); err != nil {
			return fmt.Errorf("schema of %s: %w", o.id, err)
		}
		if o.checkBody, err = compiler.Compile(o.id); err != nil {
			return fmt.Errorf("schema of %s: %w", o.id, err)
		}
		compiled.Store(o.id, o.checkBody)
	}
	return nil
}

var english = message.NewPrinter(language.English)

// checkBody checks a body by its schema. It names the first member with a mistake, in the order of
// their names.
func checkBody(schema *jsonschema.Schema, members map[string]any) error {
	err := schema.Validate(any(members))
	if err == nil {
		return nil
	}
	wrong, is := errors.AsType[*jsonschema.ValidationError](err)
	if !is {
		return err
	}
	mistakes := mistakesIn(wrong)
	slices.SortStableFunc(mistakes, func(a, b *fieldError) int { return strings.Compare(a.field, b.field) })
	return mistakes[0]
}

// mistakesIn returns the mistakes without further causes.
func mistakesIn(e *jsonschema.ValidationError) []*fieldError {
	var list []*fieldError
	for _, cause := range e.Causes {
		list = append(list, mistakesIn(cause)...)
	}
	if len(list) > 0 {
		return list
	}
	mistake := func(code, member, text string) {
		field := strings.Join(slices.DeleteFunc(append(slices.Clone(e.InstanceLocation), member), func(s string) bool { return s == "" }), ".")
		list = append(list, atField(code, shortened(field), text).(*fieldError))
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			mistake("unknown_member", name, "this call has no such member")
		}
	case *kind.Required:
		for _, name := range k.Missing {
			mistake("missing_member", name, "this member is required")
		}
	case *kind.Type:
		mistake("wrong_type", "", "this must be "+strings.Join(k.Want, " or "))
	default:
		mistake("invalid_value", "", e.ErrorKind.LocalizedString(english))
	}
	return list
}

// object returns the schema of an object with only these members.
func object(members map[string]*huma.Schema, required ...string) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, Properties: members, Required: required, AdditionalProperties: false}
	s.PrecomputeMessages()
	return s
}

// nullable returns the schema of a text that a merge patch may take away.
func nullableText(about string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true, Description: about}
}

func boolean(about string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeBoolean, Description: about}
}

func nullableTexts(about string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Nullable: true, Items: &huma.Schema{Type: huma.TypeString}, Description: about}
}
