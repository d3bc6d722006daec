package config

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// shape is what a JSON Schema says of a value. nil is a text. What a schema cannot
// say, as that one setting must not be longer than another, the program says.
type shape map[string]any

var (
	text        = shape{"type": []string{"string", "number"}, "minLength": 1}
	trueOrFalse = shape{"enum": []any{true, false, "true", "false"}}
	duration    = matching(`^([0-9]{1,5}d)?([0-9]+(h|ms|m|s))*$`)
	pairs       = shape{"anyOf": []shape{{"type": "string"}, {"type": "object", "additionalProperties": text}}}
)

// matching is a text of that form; the pattern is good for Go and for JavaScript.
func matching(pattern string) shape { return shape{"type": "string", "pattern": pattern} }

func oneOfWords(words ...string) shape { return shape{"enum": words} }

// listOf is a list of YAML, or a text with commas.
func listOf(item shape) shape {
	return shape{"anyOf": []shape{{"type": []string{"string", "number"}}, {"type": "array", "items": orText(item)}}}
}

func (b bounds) shape() shape {
	return shape{"type": []string{"integer", "string"}, "minimum": b.least, "maximum": b.most, "pattern": "^[0-9]+$"}
}

func orText(s shape) shape {
	if s == nil {
		return text
	}
	return s
}

// Schema is the JSON Schema (2020-12) of a settings file.
func Schema() map[string]any {
	root := sectionShape()
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Settings of Signet"
	for _, s := range settings {
		at, path := root, strings.Split(s.key, ".")
		for _, name := range path[:len(path)-1] {
			below := at["properties"].(shape)
			if below[name] == nil {
				below[name] = sectionShape()
			}
			at = below[name].(shape)
		}
		at["properties"].(shape)[path[len(path)-1]] = describe(s)
	}
	item := sectionShape()
	item["type"], item["required"] = "object", []string{"id", "type"}
	for _, o := range connectorOptions {
		item["properties"].(shape)[o.key] = describe(o)
		if o.secret {
			item["properties"].(shape)[o.key+"_file"] = shape{"type": "string", "minLength": 1, "description": "file that holds " + o.key}
		}
	}
	root["properties"].(shape)["connectors"] = shape{"type": "array", "items": item, "description": "the upstreams that people sign in through"}
	return root
}

// sectionShape is a section without settings. One of comments alone is null.
func sectionShape() shape {
	return shape{"type": []string{"object", "null"}, "additionalProperties": false, "properties": shape{}}
}

func describe[C any](o option[C]) shape {
	described := shape{"description": o.about + " (" + o.unit + ")"}
	for name, value := range orText(o.shape) {
		described[name] = value
	}
	if o.byDef != "" {
		described["default"] = asYAML(o.byDef)
	}
	if !o.secret {
		described["examples"] = []any{asYAML(o.example)}
	}
	return described
}

// asYAML gives a value of the type that it has in a file.
func asYAML(value string) any {
	var typed any
	if err := yaml.Unmarshal([]byte(value), &typed); err != nil {
		return value
	}
	return typed
}
