package program

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
)

func (p *program) versionCommand() *cobra.Command {
	c := &cobra.Command{Use: "version", Short: "Print the version", Example: "  signet version --json", Args: cli.Exactly()}
	asJSON := cli.JSONFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		if *asJSON {
			return p.WriteJSON(map[string]string{"version": version(), "go": runtime.Version()})
		}
		_, err := fmt.Fprintln(p.Stdout, "signet", version())
		return err
	}
	return c
}

// version is the module's version, or what the build knows of its commit.
func version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := build.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" {
			return "devel " + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
