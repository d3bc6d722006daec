package program

import "signet/cmd/signet/cli"

// program holds the commands that have no package of their own.
type program struct{ *cli.Program }
