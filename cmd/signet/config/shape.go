package config

// shape is the JSON Schema of a value; nil stands for a text. A schema cannot express every
// rule, for example that one lifetime must not exceed another. The program checks those.
type shape map[string]any

var (
	text        = shape{"type": []string{"string", "number"}, "minLength": 1}
	trueOrFalse = shape{"enum": []any{true, false, "true", "false"}}
	duration    = matching(`^([0-9]{1,5}d)?([0-9]+(h|ms|m|s))*$`)
	trustLife   = shape{"type": []string{"integer", "string"}, "minimum": 0, "maximum": 0, "pattern": "^(0|([0-9]{1,5}d)?([0-9]+(h|ms|m|s))*)$"}
	fileMode    = shape{"type": []string{"integer", "string"}, "minimum": 0, "maximum": 666, "pattern": "^[0-7]{3,4}$"} // editors read 0660 as a number
	pairs       = shape{"anyOf": []shape{{"type": "string"}, {"type": "object", "additionalProperties": text}}}
)

// matching returns the shape of a text that matches the pattern. The pattern must be valid in
// Go and in JavaScript.
func matching(pattern string) shape { return shape{"type": "string", "pattern": pattern} }

func oneOfWords(words ...string) shape { return shape{"enum": words} }

// listOf returns the shape of a YAML list, or of a text with commas.
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
