package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
)

// BenchmarkBesideOIDCProvider measures refresh and code flow beside oidc-provider on Node.js, in one run
// and in turns, with ID tokens of each algorithm. oidc-provider stores everything in memory and signs
// with OpenSSL; Signet commits to SQLite. SIGNET_BENCH_PROGRAM names another program than the one that
// go test built, for example that of the Debian package. It reports the median of the rounds, and sets
// no limit.
func BenchmarkBesideOIDCProvider(b *testing.B) {
	program := "signet"
	if named := os.Getenv("SIGNET_BENCH_PROGRAM"); named != "" {
		program = named
		b.Setenv("SIGNET_BENCH_PROGRAM", "") // the program refuses variables that it does not know
	}
	for _, tried := range []struct {
		algorithm string
		settings  string
	}{{"ES256", ""}, {"RS256", ""}, {"RS256", "SIGNET_KEYS_RSA=openssl"}} {
		b.Run(strings.TrimSuffix(tried.algorithm+" "+tried.settings, " "), func(b *testing.B) {
			ours := startLoad(b, program, tried.algorithm, strings.Fields(tried.settings)...)
			peer, pid := startPeer(b, tried.algorithm)
			spent := map[string][]float64{}
			for round := range 5 {
				for _, o := range []struct {
					name string
					pid  int
					do   func(worker int) error
				}{
					// The code flow comes first: oidc-provider stores the newest 1,000 entries, among them
					// the refresh tokens of its last code flows.
					{"code flow, signet", ours.pid, ours.codeFlow}, {"code flow, oidc-provider", pid, peer.codeFlow},
					{"refresh, signet", ours.pid, ours.refresh}, {"refresh, oidc-provider", pid, peer.refresh},
				} {
					b.Run(fmt.Sprint(o.name, " ", round), func(b *testing.B) {
						cost := drive(b, o.pid, o.do)
						if b.N > 1 { // go test tries each benchmark with one operation first
							spent[o.name] = append(spent[o.name], cost)
						}
					})
				}
			}
			for _, operation := range []string{"refresh", "code flow"} {
				mine, theirs := median(spent[operation+", signet"]), median(spent[operation+", oidc-provider"])
				fmt.Printf("%s, %s: signet %.0f µs, oidc-provider %.0f µs, ratio %.2f\n", b.Name(), operation, mine, theirs, mine/theirs)
			}
		})
	}
}

func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	return of[len(of)/2]
}

// startPeer starts oidc-provider with an empty store, and signs its visitors in.
func startPeer(b *testing.B, algorithm string) (v *visitors, pid int) {
	b.Helper()
	issuer := fmt.Sprintf("http://127.0.0.1:%d", signettest.FreePort(b))
	client := signettest.CreatedClient{ID: "bench", Secret: ceilingSecret}
	job, err := json.Marshal(map[string]string{"issuer": issuer, "client_id": client.ID, "client_secret": client.Secret, "redirect_uri": signettest.Nowhere, "algorithm": algorithm})
	if err != nil {
		b.Fatal(err)
	}
	node := exec.Command("node", "oidcproviderpeer.mjs")
	node.Dir, node.Stdin = filepath.Join("testdata", "browser"), bytes.NewReader(job)
	pid = startServer(b, issuer+"/.well-known/openid-configuration", node, []string{"NODE_ENV=production"})
	workers := 0
	return admit(b, issuer+"/auth", issuer+"/token", client, func(browser *signettest.FormBrowser) {
		workers++
		browser.Send("enter", "", map[string]string{"name": fmt.Sprint("visitor", workers)})
	}), pid
}
