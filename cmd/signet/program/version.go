package program

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/cli"
	"signet/provider/keys/openssl"
	"signet/provider/keys/pkcs11"
	"signet/storage"
)

// version is the content of the file VERSION. A test compares all places that name the version.
const version = "0.6.0"

// The origin of a program that make dist built, set with -ldflags -X; "" otherwise.
var (
	releaseCommit string
	releaseDate   string // of the commit, RFC 3339
	releaseState  string // stateRelease, stateChanged, or "" for a commit that is no release
)

const (
	stateRelease = "release" // built from the commit that set the version
	stateChanged = "changed" // built with changes that are not committed
)

func (p *program) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Print the version of this program and its origin", Args: cli.ExactArgs(),
		Long: `Print the version, the commit and its time, the version of Go, the SQLite in this
program, and the parts that depend on the build: libraries that can sign with RSA keys,
and PKCS #11.

A program that is not exactly the release of its version says so. Only make dist builds
releases, from the commit that set the version. A program from go run or go build
-buildvcs=false does not know its commit.`,
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

// build describes the origin and the parts of this program.
type build struct {
	Version  string      `json:"version"`
	Release  bool        `json:"release"`        // built by make dist from the commit that set the version
	Commit   string      `json:"commit"`         // "unknown" if the build did not record it
	Modified bool        `json:"modified"`       // the files had changes that were not committed
	Date     string      `json:"date,omitempty"` // of the commit, RFC 3339
	Go       string      `json:"go"`
	Platform string      `json:"platform"` // system and processor, like linux/amd64
	SQLite   sqliteBuild `json:"sqlite"`
	RSA      []string    `json:"rsa_engines"` // the values that keys.rsa may have in this build
	PKCS11   bool        `json:"pkcs11"`
}

// sqliteBuild is the SQLite in this program.
type sqliteBuild struct {
	Driver  string `json:"driver"` // "cgo" or "go": the language of the SQLite that runs
	Module  string `json:"module"`
	Version string `json:"version"`
}

// unknown is the Commit of a build that did not record it.
const unknown = "unknown"

// String returns the description for people.
func (b build) String() string {
	lines := []string{b.origin()}
	if !b.Release {
		lines = append(lines, "this is not exactly the release "+b.Version+": "+b.reason())
	}
	written := map[string]string{"cgo": "C", "go": "Go"}[b.SQLite.Driver]
	with := "without"
	if b.PKCS11 {
		with = "with"
	}
	return strings.Join(append(lines,
		fmt.Sprintf("SQLite %s written in %s (%s)", b.SQLite.Version, written, b.SQLite.Module),
		"RSA keys sign with "+strings.Join(b.RSA, " or ")+" (keys.rsa)",
		with+" PKCS #11"), "\n")
}

func (b build) origin() string {
	text := b.Version + ", commit " + b.Commit
	if b.Modified {
		text += " with changes"
	}
	if b.Date != "" {
		text += " of " + b.Date
	}
	return text + ", " + b.Go + ", " + b.Platform
}

// reason says why the program may differ from the release of its version.
func (b build) reason() string {
	switch {
	case b.Commit == unknown:
		return "its commit is unknown (go run and -buildvcs=false do not record it)"
	case b.Modified:
		return "it was built with changes that are not committed"
	case releaseCommit != "":
		return "another commit set this version"
	}
	return "make dist did not build it"
}

func readBuild() build {
	recorded, _ := debug.ReadBuildInfo()
	return buildFrom(recorded)
}

// buildFrom returns the values of the linker flags, or otherwise those that the go command recorded.
// recorded may be nil.
func buildFrom(recorded *debug.BuildInfo) build {
	b := build{
		Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		SQLite: sqliteBuild{Driver: "cgo", Module: storage.SQLiteModule, Version: storage.SQLiteVersion()},
		RSA:    []string{"go"}, PKCS11: pkcs11.Built,
	}
	if storage.PureGo {
		b.SQLite.Driver = "go"
	}
	if openssl.Built {
		b.RSA = append(b.RSA, "openssl")
	}
	if releaseCommit != "" {
		b.Commit, b.Date = releaseCommit, releaseDate
		b.Release, b.Modified = releaseState == stateRelease, releaseState == stateChanged
		return b
	}
	if recorded != nil {
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
	b.Commit = cmp.Or(b.Commit, unknown)
	return b
}
