package cli

import (
	"io"
	"strings"
	"time"
)

// Program is what every command shares: its surroundings, and how it talks.
type Program struct {
	Env    map[string]string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Now    func() time.Time // the clock of this machine
}

// ParseEnvironment reads the shape of os.Environ; of a name that comes twice the last
// one counts, as os/exec has it.
func ParseEnvironment(pairs []string) map[string]string {
	env := map[string]string{}
	for _, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			env[name] = value
		}
	}
	return env
}
