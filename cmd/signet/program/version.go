package program

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
)

// The values of a release build, set with -ldflags -X; "" if the build information counts.
var releaseVersion, releaseCommit, releaseDate string

func (p *program) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Print the version and the commit of this program", Args: cli.ExactArgs(),
		Long: `Print the version, the commit and its time, and the version of Go. A program from go run
or go build -buildvcs=false does not know its commit, and says so.`,
		Example: "  signet version --json",
	}
	asJSON := cli.JSONFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		if *asJSON {
			return p.WriteJSON(readBuild())
		}
		_, err := fmt.Fprintln(p.Stdout, "signet", readBuild())
		return err
	}
	return c
}

// build describes the origin of this program.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`         // "unknown" if the build did not record it
	Modified bool   `json:"modified"`       // the files had changes that were not committed
	Date     string `json:"date,omitempty"` // of the commit, RFC 3339
	Go       string `json:"go"`
}

// unknown is the Commit of a build that did not record it.
const unknown = "unknown"

// String returns the description for people.
func (b build) String() string {
	text := b.Version + ", commit " + b.Commit
	switch {
	case b.Commit == unknown:
		text += " (go run and -buildvcs=false do not record it)"
	case b.Modified:
		text += " with changes"
	}
	if b.Date != "" {
		text += " of " + b.Date
	}
	return text + ", " + b.Go
}

func readBuild() build {
	recorded, _ := debug.ReadBuildInfo()
	return buildFrom(recorded)
}

// buildFrom returns the values of the linker flags, or otherwise those that the go command recorded.
// recorded may be nil.
func buildFrom(recorded *debug.BuildInfo) build {
	b := build{Version: "devel", Go: runtime.Version()}
	if recorded != nil {
		if v := recorded.Main.Version; v != "" && v != "(devel)" {
			b.Version = v
		}
		for _, s := range recorded.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.time":
				b.Date = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if releaseCommit != "" && releaseCommit != b.Commit {
		b.Commit, b.Modified, b.Date = releaseCommit, false, ""
	}
	b.Version = cmp.Or(releaseVersion, b.Version)
	b.Commit = cmp.Or(b.Commit, unknown)
	b.Date = cmp.Or(releaseDate, b.Date)
	return b
}
