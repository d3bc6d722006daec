package cli

import (
	"io"
	"strings"
	"time"
)

// Program holds the environment, streams and clock that every command uses.
type Program struct {
	Env    map[string]string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Now    func() time.Time // the clock of this machine

	SystemSettings string // settings file of this machine, see config.SystemFile; "" for none
}

// ParseEnvironment parses pairs in the form of os.Environ. If a name occurs twice, the last
// value counts, as in os/exec.
func ParseEnvironment(pairs []string) map[string]string {
	env := map[string]string{}
	for _, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			env[name] = value
		}
	}
	return env
}
