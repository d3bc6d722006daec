package demo_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/demo"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
	"signet/cmd/signet/program"
	"signet/cmd/signet/signettest"
)

// TestDevApp_SignsInBelowThePathOfTheApp runs dev as the Signet behind an app's /auth path,
// with a first-party client for the app, at the first start and the next.
func TestDevApp_SignsInBelowThePathOfTheApp(t *testing.T) {
	t.Parallel()
	listen := fmt.Sprintf("localhost:%d", signettest.FreePort(t))
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: listen})
		r.Out.Host = r.In.Host
	}})
	t.Cleanup(front.Close)
	dir := filepath.Join(t.TempDir(), "data")
	for range 2 {
		end := signettest.StartSignetAt(t, time.Now, front.URL+"/auth", nil, "dev", "--listen", listen, "--data-dir", dir, "--app", front.URL)
		password, err := node.ReadPrivate(filepath.Join(dir, "demo-password"))
		if err != nil {
			t.Fatal(err)
		}
		i := signettest.Instance{Issuer: front.URL + "/auth", Email: signettest.DemoEmail, Password: password}
		i.AccessCookie(t)
		if status, _ := signettest.Get(t, front.URL+"/auth"+demo.Path); status != http.StatusNotFound {
			t.Errorf("the demo page answers %d beside an app", status)
		}
		end()
	}
}

func TestDevApp_WantsALoopbackOrigin(t *testing.T) {
	t.Parallel()
	for _, app := range []string{"https://localhost:5173", "http://localhost:5173/", "http://app.example.com", "localhost:5173"} {
		var said strings.Builder
		code := program.Run(t.Context(), signettest.Surroundings(nil, "", &said, &said), []string{"dev", "--app", app, "--data-dir", t.TempDir()})
		if code != exit.Usage || !strings.Contains(said.String(), "--app http://localhost:5173") {
			t.Errorf("--app %s: exit code %d: %s", app, code, said.String())
		}
	}
}
