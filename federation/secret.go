package federation

import (
	"fmt"
	"io"
)

// Secret is a value that does not print itself: whoever needs it says Reveal. It is
// behind a pointer, since fmt asks no method of what stands in an unexported field.
type Secret struct{ value *string }

// NewSecret keeps a text; that of the zero Secret is empty.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal gives the value. It must not reach a log, an error or a page.
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
