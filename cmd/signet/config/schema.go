package config

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Schema returns the JSON Schema (2020-12) of the settings file.
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
			item["properties"].(shape)[o.key+"_file"] = shape{"type": "string", "minLength": 1, "description": "file that contains " + o.key}
		}
	}
	root["properties"].(shape)["connectors"] = shape{"type": "array", "items": item, "description": "the upstreams that people sign in through"}
	return root
}

// sectionShape returns the shape of a section without settings. A section that contains only
// comments is null.
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

// asYAML returns a value with the type that it has in a YAML file.
func asYAML(value string) any {
	var typed any
	if err := yaml.Unmarshal([]byte(value), &typed); err != nil {
		return value
	}
	return typed
}
