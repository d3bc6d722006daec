package federation

import (
	"fmt"
	"io"
)

// Secret is a value that does not print itself; Reveal returns it. The value is behind a
// pointer because fmt does not call methods of unexported fields.
type Secret struct{ value *string }

// NewSecret returns a Secret with that value. The value of the zero Secret is empty.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the value. It must not be written to a log, an error or a page.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Format keeps every verb of fmt from showing the value.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "***") }

// MarshalText keeps encoders from showing the value.
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }
