package program

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersion_NamesTheCommitOrSaysThatItIsUnknown(t *testing.T) {
	const commit = "7f5797304fb3a6f0f3c17ae1e9a2c9a6d6b0c0de"
	recorded := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	revision, at := debug.BuildSetting{Key: "vcs.revision", Value: commit}, debug.BuildSetting{Key: "vcs.time", Value: "2026-11-29T12:00:00Z"}
	changed, clean := debug.BuildSetting{Key: "vcs.modified", Value: "true"}, debug.BuildSetting{Key: "vcs.modified", Value: "false"}
	for _, tried := range []struct {
		want string
		from *debug.BuildInfo
	}{
		{"devel, commit unknown (go run and -buildvcs=false do not record it), ", nil},
		{"devel, commit unknown (go run and -buildvcs=false do not record it), ", recorded("(devel)")},
		{"v1.2.3, commit unknown (go run and -buildvcs=false do not record it), ", recorded("v1.2.3")},
		{"devel, commit " + commit + " of 2026-11-29T12:00:00Z, ", recorded("(devel)", revision, at, clean)},
		{"v0.0.0-2026, commit " + commit + " with changes of 2026-11-29T12:00:00Z, ", recorded("v0.0.0-2026", revision, at, changed)},
	} {
		want := tried.want + runtime.Version()
		if got := buildFrom(tried.from).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestVersion_LinkerFlagsOverrideBuildInfo(t *testing.T) {
	releaseVersion, releaseCommit, releaseDate = "v2.0.0", "abc", "2026-12-01T00:00:00Z"
	t.Cleanup(func() { releaseVersion, releaseCommit, releaseDate = "", "", "" })
	got := buildFrom(&debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "def"}, {Key: "vcs.modified", Value: "true"}, {Key: "vcs.time", Value: "2001"}}})
	if want := (build{Version: "v2.0.0", Commit: "abc", Date: "2026-12-01T00:00:00Z", Go: runtime.Version()}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
