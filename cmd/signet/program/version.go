package program

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
)

// What a release build names with -ldflags -X; "" where the build itself knows.
var releaseVersion, releaseCommit, releaseDate string

func (p *program) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Print the version, and the commit that it was built from", Args: cli.ExactArgs(),
		Long: `Print the version, the commit that the program was built from, the commit's time and
the version of Go. go run and go build -buildvcs=false record no commit; such a build
says so.`,
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

// build is what a program knows of where it comes from.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`         // "unknown" if the build recorded none
	Modified bool   `json:"modified"`       // the files were not those of the commit
	Date     string `json:"date,omitempty"` // of the commit, RFC 3339
	Go       string `json:"go"`
}

// unknown is a commit that the build does not know.
const unknown = "unknown"

// String is what people read.
func (b build) String() string {
	said := b.Version + ", commit " + b.Commit
	switch {
	case b.Commit == unknown:
		said += " (go run and -buildvcs=false record none)"
	case b.Modified:
		said += " with changes"
	}
	if b.Date != "" {
		said += " of " + b.Date
	}
	return said + ", " + b.Go
}

func readBuild() build {
	recorded, _ := debug.ReadBuildInfo()
	return buildFrom(recorded)
}

// buildFrom reads what the linker was told, and else what the go command recorded, which
// may be nothing.
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
