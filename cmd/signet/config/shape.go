package config

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
