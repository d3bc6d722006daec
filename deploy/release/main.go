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
	"runtime"
	"strings"
	"syscall"
	"time"
)

// artefacts lists all artefacts in the order in which they are built. The sums come last,
// since they cover the others.
var artefacts = []artefact{
	{"static", "programs without a C library: archives for Linux and macOS", (*release).static},
	{"deb", "packages for Debian and Ubuntu: the fast build with its service", (*release).deb},
	{"chart", "the Helm chart", (*release).chart},
	{"images", "container images", (*release).images},
	{"react", "the npm package @signet/react", (*release).react},
	{"sbom", "lists of the parts of each program (CycloneDX)", (*release).sboms},
	{"notices", "licences of the parts", (*release).writeNotices},
	{"security", "the security policy and security.txt", (*release).security},
	{"sums", "SHA256SUMS and its signature", (*release).sums},
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
	if len(args) > 0 {
		switch args[0] {
		case "previous":
			return runPrevious(ctx, args[1:], talk)
		case "set-version":
			return runSetVersion(ctx, args[1:], talk)
		}
	}
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(talk)
	out := flags.String("out", "dist", "`folder` for the artefacts; the artefacts of an earlier run there are replaced")
	only := flags.String("only", "", "build only these artefacts, separated by commas: "+strings.Join(names(artefacts), ", "))
	key := flags.String("key", os.Getenv("SIGNET_RELEASE_KEY"), "`file` of a key of ssh-keygen that signs the sums (SIGNET_RELEASE_KEY)")
	contact := flags.String("contact", os.Getenv("SIGNET_RELEASE_CONTACT"), "`address` for reports of vulnerabilities, for security.txt (SIGNET_RELEASE_CONTACT)")
	debian := flags.String("debian", os.Getenv("SIGNET_RELEASE_DEBIAN"), "`file` of apt with the sources of the packages in images, in place of "+debianSources+" (SIGNET_RELEASE_DEBIAN)")
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
	if err := checkContact(*contact); err != nil {
		return err
	}
	to, err := filepath.Abs(*out)
	if err != nil {
		return err
	}
	r, err := open(ctx, ".", *dirty)
	if err != nil {
		return err
	}
	defer r.close()
	r.talk, r.contact = talk, *contact
	for _, file := range []struct{ named, path *string }{{key, &r.key}, {debian, &r.debian}} {
		if *file.named != "" {
			if *file.path, err = filepath.Abs(*file.named); err != nil {
				return err
			}
		}
	}
	if err := r.build(ctx, chosen); err != nil {
		return err
	}
	return r.publish(to, len(chosen) == len(artefacts))
}

// runPrevious builds the program of the version before this one.
func runPrevious(ctx context.Context, args []string, talk io.Writer) error {
	flags := flag.NewFlagSet("previous", flag.ContinueOnError)
	flags.SetOutput(talk)
	out := flags.String("out", "", "`file` for the program; without it, only the version and its commit are printed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *out == "" {
		commit, version, err := previousCommit(ctx, ".")
		if err == nil {
			_, err = fmt.Println(version, commit)
		}
		return err
	}
	file, err := filepath.Abs(*out)
	if err != nil {
		return err
	}
	version, err := buildPrevious(ctx, ".", file, target{os: runtime.GOOS, arch: runtime.GOARCH}, talk)
	if err == nil {
		fmt.Fprintf(talk, "%s is version %s\n", file, version)
	}
	return err
}

// runSetVersion changes the files that name the version, before the commit of a release.
func runSetVersion(ctx context.Context, args []string, talk io.Writer) error {
	if len(args) != 1 {
		return errors.New("name the new version: set-version 0.2.0")
	}
	root, err := git(ctx, ".", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	if err := setVersionOf(root, args[0], time.Now().UTC()); err != nil {
		return err
	}
	fmt.Fprintln(talk, "commit these changes, and run make dist at that commit")
	return nil
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
