package proxy_test

import (
	"os"
	"path/filepath"
	"testing"
)

// startTraefik runs Traefik with deploy/proxy/traefik.yml and deploy/proxy/dynamic.yml. It
// changes addresses and paths, and switches the search for newer versions off.
func startTraefik(t *testing.T, e *entrance, nodes []string) {
	t.Helper()
	dynamic := writeFile(t, e.folder, "dynamic.yml", withNodes(t, "dynamic.yml", nodes, "/etc/traefik/", e.folder+"/"))
	static := withNodes(t, "traefik.yml", nil,
		`":443"`, `"`+e.https+`"`, `":80"`, `"`+e.http+`"`, "/etc/traefik/dynamic.yml", dynamic,
	)
	program, err := filepath.Abs(os.Getenv("SIGNET_TRAEFIK"))
	if err != nil {
		t.Fatal(err)
	}
	runProxy(t, e.folder, program, "--configFile="+writeFile(t, e.folder, "traefik.yml", static+"global:\n  checkNewVersion: false\n"))
}
