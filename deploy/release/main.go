package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// artefacts lists all artefacts in the order in which they are built. The sums come last,
// since they cover the others.
var artefacts = []artefact{
	{"static", "programs without a C library: archives for Linux and macOS", (*release).static},
	{"deb", "packages for Debian and Ubuntu: the fast build with its service", (*release).deb},
	{"chart", "the Helm chart", (*release).chart},
}

// artefact is one kind of file that a release consists of.
type artefact struct {
	name    string // for -only
	meaning string
	build   func(*release, context.Context) error
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "release:", err)
		}
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, talk io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(talk)
	out := flags.String("out", "dist", "`folder` for the artefacts; the artefacts of an earlier run there are replaced")
	only := flags.String("only", "", "build only these artefacts, separated by commas: "+strings.Join(names(artefacts), ", "))
	dirty := flags.Bool("dirty", false, "build although files are not committed; the program then says that it is not the release")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q: see -help", flags.Arg(0))
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	folder, err := filepath.Abs(*out)
	if err != nil {
		return err
	}
	r, err := open(ctx, ".", *dirty)
	if err != nil {
		return err
	}
	defer r.close()
	r.talk = talk
	if err := r.build(ctx, chosen); err != nil {
		return err
	}
	return r.publish(folder, len(chosen) == len(artefacts))
}

// choose returns the artefacts that only names, in the order of the list; all if it is "".
func choose(only string) ([]artefact, error) {
	if only == "" {
		return artefacts, nil
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(only, ",") {
		wanted[strings.TrimSpace(name)] = true
	}
	var chosen []artefact
	for _, a := range artefacts {
		if wanted[a.name] {
			chosen = append(chosen, a)
			delete(wanted, a.name)
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("unknown artefact %q: use one of %s", name, strings.Join(names(artefacts), ", "))
	}
	return chosen, nil
}

func names(list []artefact) []string {
	var all []string
	for _, a := range list {
		all = append(all, a.name)
	}
	return all
}
