package program

import "signet/cmd/signet/cli"

// program is the commands that belong to no noun with a room of its own.
type program struct{ *cli.Program }
