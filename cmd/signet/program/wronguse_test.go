package program

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"signet/cmd/signet/exit"
	"signet/storage/storagetest"
)

// doubtfulCalls returns calls of a command that may be wrong use: without flags, with an odd value
// for each flag, and with each pair of switches.
func doubtfulCalls(t *testing.T) (calls [][]string) {
	t.Helper()
	for _, c := range everyCommand() {
		path := c.CommandPath()
		if c.HasSubCommands() || slices.Contains(making, path) || withoutDatabase[path] != 0 {
			continue
		}
		var bare []string
		for _, name := range argumentNames(c.Use) {
			if !strings.HasPrefix(name, "[") {
				bare = append(bare, cmp.Or(argumentValues[name], "x"))
			}
		}
		bare = append(strings.Fields(path)[1:], bare...)
		calls = append(calls, bare)
		required := slices.Concat(bare, requiredFlags[path])
		var switches []string
		c.Flags().VisitAll(func(f *pflag.Flag) {
			switch {
			case f.Name == "help", f.Name == "data-dir", f.Name == "config", f.Name == "follow":
			case f.Value.Type() == "bool":
				for _, other := range switches {
					calls = append(calls, append(slices.Clone(required), other, "--"+f.Name))
				}
				switches = append(switches, "--"+f.Name)
			default:
				calls = append(calls, append(slices.Clone(required), "--"+f.Name+"=-1"))
			}
		})
	}
	calls = append(calls, []string{"backup", "-", "--json"}, []string{"events", "--follow", "--json"}, []string{"user", "create", "--email", "ada@example.com", "--password-file", "nowhere"})
	return calls
}

// A mistake in the command line is reported as such whether or not there is a database: a call that
// is wrong use beside a database is wrong use without one, and creates nothing.
func TestCommands_ReportWrongUseBeforeTheyOpenTheDatabase(t *testing.T) {
	dir := storagetest.SQLite(t).Config().DataDir
	folder := t.TempDir()
	t.Chdir(folder)
	before, wrong := treeOf(t, folder), 0
	for _, call := range doubtfulCalls(t) {
		code, stdout, _ := runCommand(t, []string{"SIGNET_LISTEN=127.0.0.1:1"}, call)
		if code == exit.Usage {
			wrong++
			if after := treeOf(t, folder); stdout != "" || after != before {
				t.Fatalf("signet %s printed %q and left %s", strings.Join(call, " "), stdout, after)
			}
			continue
		}
		if call[0] == "backup" {
			continue // it would write a file
		}
		if code, _, stderr := runCommand(t, []string{"SIGNET_DATA_DIR=" + dir}, call); code == exit.Usage && !strings.Contains(stderr, "confirmation needed") && !strings.Contains(stderr, "standard input must contain") {
			t.Errorf("signet %s is wrong use only if there is a database: %s", strings.Join(call, " "), stderr)
		}
	}
	if wrong < 15 {
		t.Errorf("only %d calls are wrong use", wrong)
	}
}
