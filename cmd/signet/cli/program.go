package cli

import (
	"io"
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
