package program

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestVersion_SaysHowItDiffersFromTheRelease(t *testing.T) {
	const commit = "7f5797304fb3a6f0f3c17ae1e9a2c9a6d6b0c0de"
	recorded := func(main string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: main}, Settings: settings}
	}
	revision, at := debug.BuildSetting{Key: "vcs.revision", Value: commit}, debug.BuildSetting{Key: "vcs.time", Value: "2026-11-29T12:00:00Z"}
	changed, clean := debug.BuildSetting{Key: "vcs.modified", Value: "true"}, debug.BuildSetting{Key: "vcs.modified", Value: "false"}
	for _, tried := range []struct {
		name                string
		linker              [3]string // commit, date, state
		from                *debug.BuildInfo
		origin, reason      string
		release, modified   bool
		commitWant, dateWas string
	}{
		{name: "nothing is known", origin: version + ", commit unknown, go", reason: "its commit is unknown", commitWant: "unknown"},
		{name: "go run", from: recorded("(devel)"), origin: version + ", commit unknown, go", reason: "its commit is unknown", commitWant: "unknown"},
		{name: "go build", from: recorded("v0.0.0-20261129120000-7f5797304fb3", revision, at, clean),
			origin: version + ", commit " + commit + " of 2026-11-29T12:00:00Z, go", reason: "make dist did not build it", commitWant: commit, dateWas: "2026-11-29T12:00:00Z"},
		{name: "go build with changes", from: recorded("v0.0.0-2026+dirty", revision, at, changed),
			origin: version + ", commit " + commit + " with changes of 2026-11-29T12:00:00Z, go", reason: "changes that are not committed", commitWant: commit, dateWas: "2026-11-29T12:00:00Z", modified: true},
		{name: "the release", linker: [3]string{"abc", "2026-12-01T00:00:00Z", stateRelease}, from: recorded("(devel)", revision, at, changed),
			origin: version + ", commit abc of 2026-12-01T00:00:00Z, go", commitWant: "abc", dateWas: "2026-12-01T00:00:00Z", release: true},
		{name: "make dist at a later commit", linker: [3]string{"abc", "2026-12-01T00:00:00Z", ""},
			origin: version + ", commit abc of 2026-12-01T00:00:00Z, go", reason: "another commit set this version", commitWant: "abc", dateWas: "2026-12-01T00:00:00Z"},
		{name: "make dist with changes", linker: [3]string{"abc", "2026-12-01T00:00:00Z", stateChanged},
			origin: version + ", commit abc with changes of 2026-12-01T00:00:00Z, go", reason: "changes that are not committed", commitWant: "abc", dateWas: "2026-12-01T00:00:00Z", modified: true},
	} {
		releaseCommit, releaseDate, releaseState = tried.linker[0], tried.linker[1], tried.linker[2]
		got := buildFrom(tried.from)
		text := strings.Split(got.String(), "\n")
		releaseCommit, releaseDate, releaseState = "", "", ""

		if got.Version != version || got.Release != tried.release || got.Modified != tried.modified || got.Commit != tried.commitWant || got.Date != tried.dateWas {
			t.Errorf("%s: got %+v", tried.name, got)
		}
		if !strings.HasPrefix(text[0], tried.origin) {
			t.Errorf("%s: got %q, want %q", tried.name, text[0], tried.origin)
		}
		if says := strings.HasPrefix(text[1], "this is not exactly the release"); says == tried.release || !strings.HasSuffix(text[1], tried.reason) && !strings.Contains(text[1], tried.reason) {
			t.Errorf("%s: got %q, want the reason %q", tried.name, text[1], tried.reason)
		}
	}
}

// A version is named in several files. A release commit must change all of them:
// go run -C deploy/release . set-version 0.2.0
func TestVersion_IsTheSameEverywhere(t *testing.T) {
	const root = "../../.."
	file := func(name string) string {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	if got := file("VERSION"); got != version+"\n" {
		t.Errorf("VERSION contains %q, and this program says %q", got, version)
	}
	for _, name := range []string{"sdk/react/package.json", "sdk/react/package-lock.json"} {
		var described struct {
			Version  string
			Packages map[string]struct{ Version string }
		}
		if err := json.Unmarshal([]byte(file(name)), &described); err != nil {
			t.Fatal(err)
		}
		if described.Version != version {
			t.Errorf("%s names version %q, want %q", name, described.Version, version)
		}
		if locked, ok := described.Packages[""]; ok && locked.Version != version {
			t.Errorf("%s names version %q of the package itself, want %q", name, locked.Version, version)
		}
	}
	chart := regexp.MustCompile(`(?m)^(version|appVersion): "?([^"\n]*)"?$`).FindAllStringSubmatch(file("deploy/chart/Chart.yaml"), -1)
	if len(chart) != 2 {
		t.Errorf("Chart.yaml names %q, want version and appVersion", chart)
	}
	for _, named := range chart {
		if named[2] != version {
			t.Errorf("Chart.yaml names %s %q, want %q", named[1], named[2], version)
		}
	}
	if headings := changelogVersions(t, file("CHANGELOG.md")); len(headings) == 0 || headings[0] != version {
		t.Errorf("the newest heading of CHANGELOG.md is not %s: got %q", version, headings)
	}
}

var versionHeading = regexp.MustCompile(`^## ([0-9]+\.[0-9]+\.[0-9]+) \(([0-9]{4}-[0-9]{2}-[0-9]{2})\)$`)

// changelogVersions returns the versions of the headings. It fails if a heading has another form,
// if changes that are not released do not come first, or if the dates are not in order.
func changelogVersions(t *testing.T, changelog string) []string {
	t.Helper()
	var versions []string
	var dates []string
	first := true
	for line := range strings.Lines(changelog) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "## ") {
			continue
		}
		if first {
			if first = false; line != "## Unreleased" {
				t.Errorf("CHANGELOG.md begins with %q, want ## Unreleased", line)
			}
			continue
		}
		match := versionHeading.FindStringSubmatch(line)
		if match == nil {
			t.Errorf("CHANGELOG.md has the heading %q: write ## VERSION (YYYY-MM-DD)", line)
			continue
		}
		if _, err := time.Parse(time.DateOnly, match[2]); err != nil {
			t.Error(err)
		}
		versions, dates = append(versions, match[1]), append(dates, match[2])
	}
	slices.Reverse(dates)
	if !slices.IsSorted(dates) {
		t.Errorf("the versions in CHANGELOG.md are not in order of their dates, newest first: %q", dates)
	}
	return versions
}
