package program

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/exit"
)

// everyCommand returns all commands of the tree.
func everyCommand() []*cobra.Command {
	p := &program{&cli.Program{Env: map[string]string{}, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Now: time.Now}}
	var list []*cobra.Command
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		list = append(list, c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(p.rootCommand())
	return list
}

// withoutJSON holds the commands that have no --json, with the reason.
var withoutJSON = map[string]string{
	"signet serve":         "it serves, and logs JSON",
	"signet dev":           "it serves, for people",
	"signet completion":    "it prints a script",
	"signet config schema": "its output is always JSON",
}

// withoutCompletion holds the arguments that are not completed, with the reason.
var withoutCompletion = map[string]string{
	"FILE|-":                   "the shell completes files",
	"ADDRESS":                  "a mail can go to any address",
	"SID":                      "the user comes later, as --user",
	"bash|zsh|fish|powershell": "it has its own completion",
}

func TestCommands_HaveHelpAndCompletion(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range everyCommand() {
		path := c.CommandPath()
		seen[path] = true
		if c.Short == "" || !unicode.IsUpper(rune(c.Short[0])) {
			t.Errorf("%s: Short is %q", path, c.Short)
		}
		if c.HasSubCommands() {
			continue
		}
		if c.Long == "" && c.Example == "" {
			t.Errorf("%s has neither Long nor Example", path)
		}
		for line := range strings.SplitSeq(c.Example, "\n") {
			if c.Example != "" && !strings.Contains(line, "signet ") {
				t.Errorf("%s: the example %q does not call signet", path, line)
			}
		}
		_, without := withoutJSON[path]
		if has := c.Flags().Lookup("json") != nil; has == without {
			t.Errorf("%s has --json: got %v, want %v", path, has, !has)
		}
		for _, name := range argumentNames(c.Use) {
			_, completes := completers[name]
			if _, without := withoutCompletion[name]; completes == without {
				t.Errorf("%s: %s is completed: got %v, want %v", path, name, completes, !completes)
			}
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s --%s: Usage is %q", path, f.Name, f.Usage)
			}
		})
	}
	for path := range withoutJSON {
		if !seen[path] {
			t.Errorf("there is no %s", path)
		}
	}
}

// mistyped returns a word with its last two letters swapped.
func mistyped(word string) string {
	letters := []rune(word)
	last := len(letters) - 1
	letters[last], letters[last-1] = letters[last-1], letters[last]
	return string(letters)
}

// A wrong command line ends with exit code 2. Standard output is empty; the error has the nearest
// name and the help command.
func TestCommands_RefuseWrongCommandLines(t *testing.T) {
	fails := func(want string, args ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		env := []string{"SIGNET_DATA_DIR=" + t.TempDir() + "/none"}
		code := Run(t.Context(), &cli.Program{Env: cli.ParseEnvironment(env), Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Now: time.Now}, args)
		lines := strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")
		if code != exit.Usage || stdout.Len() > 0 || len(lines) < 2 || !strings.HasPrefix(lines[0], "signet: ") {
			t.Errorf("signet %s: exit code %d, stdout %q, stderr %q", strings.Join(args, " "), code, stdout.String(), stderr.String())
			return
		}
		if next := lines[len(lines)-1]; !strings.Contains(lines[0], want) || !strings.HasPrefix(next, "  ") || !strings.Contains(next, "signet") {
			t.Errorf("signet %s prints %q, want %q and the next command", strings.Join(args, " "), stderr.String(), want)
		}
	}
	for _, c := range everyCommand() {
		path := strings.Fields(c.CommandPath())[1:]
		if c.HasSubCommands() {
			fails("needs a command", path...)
			for _, sub := range c.Commands() {
				if name := mistyped(sub.Name()); sub.IsAvailableCommand() && name != sub.Name() {
					fails("did you mean ", append(slices.Clone(path), name)...)
				}
			}
			continue
		}
		fails("unknown flag --xyzzyplugh", append(slices.Clone(path), "--xyzzyplugh")...)
		if c.Flags().Lookup("json") != nil {
			fails("did you mean --json?", append(slices.Clone(path), "--jsno")...)
		}
		if !slices.ContainsFunc(argumentNames(c.Use), func(name string) bool { return strings.HasSuffix(name, "…]") }) {
			tooMany := append(slices.Clone(path), "a1", "b2", "c3")
			fails("does not take", tooMany...)
		}
	}
}

func TestCommands_HelpGoesToStandardOutput(t *testing.T) {
	for _, c := range everyCommand() {
		var stdout, stderr bytes.Buffer
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		if code := Run(t.Context(), &cli.Program{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Now: time.Now}, args); code != exit.OK || stderr.Len() > 0 || !strings.Contains(stdout.String(), "Usage:") {
			t.Errorf("%s --help: exit code %d, %q", c.CommandPath(), code, stderr.String())
		}
	}
}

// Other users of the machine can read the arguments of a process, so no flag that is named like a
// secret takes a value.
// CF-03: Secrets come from files or the environment and are never shown.
func TestCommands_TakeNoSecretAsArgument(t *testing.T) {
	suspicious := regexp.MustCompile(`password|secret|token|key|database|proxy`)
	harmless := regexp.MustCompile(`-(method|alg|file)$`) // the value is a name, not a secret
	flags := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			flags++
			if suspicious.MatchString(f.Name) && f.Value.Type() != "bool" && !harmless.MatchString(f.Name) {
				t.Errorf("%s has --%s, which takes a value", c.CommandPath(), f.Name)
			}
		})
		for _, below := range c.Commands() {
			walk(below)
		}
	}
	walk((&program{&cli.Program{}}).rootCommand())
	if flags < 50 {
		t.Fatalf("got only %d flags", flags)
	}
}
