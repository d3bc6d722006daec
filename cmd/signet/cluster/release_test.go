package cluster_test

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"signet/cmd/signet/signettest"
	"signet/storage/storagetest"
)

// previousRelease builds the release before this state of the program from the history. A
// release is a commit that changes VERSION.
func previousRelease(t *testing.T) (program string) {
	t.Helper()
	work := t.TempDir()
	run := func(folder, name string, args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), name, args...)
		command.Dir, command.Stderr = folder, os.Stderr
		output, err := command.Output()
		if err != nil {
			t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
		}
		return strings.TrimSpace(string(output))
	}
	git := func(args ...string) string {
		return run("", "git", append([]string{"-c", "safe.directory=*"}, args...)...)
	}
	if git("rev-parse", "--is-shallow-repository") == "true" {
		t.Fatal("the clone has no history: git fetch --unshallow")
	}
	releases := strings.Fields(git("log", "--format=%H", "--", ":/VERSION")) // newest first
	if releases[0] == git("rev-parse", "HEAD") && len(releases) > 1 {
		releases = releases[1:]
	}
	clone := filepath.Join(work, "clone")
	git("clone", "-q", "--shared", "--no-checkout", git("rev-parse", "--show-toplevel"), clone)
	run(clone, "git", "-c", "safe.directory=*", "checkout", "-q", "--detach", releases[0])
	program = filepath.Join(work, "signet")
	run(clone, "go", "build", "-o", program, "./cmd/signet")
	t.Logf("the previous release is %s", run("", program, "version"))
	return program
}

// balanced is an installation behind a balancer without sticky sessions: each request goes to
// the next node. A balancer drains a node before the node is stopped.
type balanced struct {
	*signettest.Cluster
	previous  string // file of the previous release
	rotations int
	mu        sync.RWMutex
	nodes     []*balancedNode
	next      atomic.Int64
	answered  atomic.Int64
}

type balancedNode struct {
	*signettest.Process
	proxy   *httputil.ReverseProxy
	running sync.WaitGroup // requests
}

// balance starts the balancer at the issuer. Every request that gets no answer or one with a
// status of 500 or more fails the test.
func balance(t *testing.T, previous, database string) *balanced {
	t.Helper()
	b := &balanced{Cluster: signettest.NewClusterOf(t, previous, database), previous: previous}
	b.Run(t, "", nil, "client", "create", "--id", "app", "--name", "An app", "--type", "spa", "--first-party", "--redirect-uri", b.Issuer+"/", "--json")
	server := &http.Server{Addr: strings.TrimPrefix(b.Issuer, "http://"), Handler: b, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.ListenAndServe() }()
	t.Cleanup(func() { server.Close() })
	return b
}

func (b *balanced) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.RLock()
	node := b.nodes[int(b.next.Add(1))%len(b.nodes)]
	node.running.Add(1)
	b.mu.RUnlock()
	defer node.running.Done()
	b.answered.Add(1)
	node.proxy.ServeHTTP(w, r)
}

// start adds a node with a program; "" is today's.
func (b *balanced) start(t *testing.T, program string) *balancedNode {
	t.Helper()
	b.Program = program
	node := &balancedNode{Process: b.Start(t, false)}
	target, err := url.Parse(node.Address)
	if err != nil {
		t.Fatal(err)
	}
	node.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(answer *http.Response) error {
			if answer.StatusCode >= http.StatusInternalServerError {
				t.Errorf("%s %s: %s", answer.Request.Method, answer.Request.URL, answer.Status)
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			t.Errorf("%s %s at %s: %v", r.Method, r.URL.Path, target, err)
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes = append(b.nodes, node)
	return node
}

// stop drains the node and ends its process. Its log must contain no error.
func (b *balanced) stop(t *testing.T, node *balancedNode) {
	t.Helper()
	b.mu.Lock()
	b.nodes = slices.DeleteFunc(b.nodes, func(n *balancedNode) bool { return n == node })
	b.mu.Unlock()
	node.running.Wait()
	if err := node.Stop(); err != nil {
		t.Errorf("a node stopped with %v", err)
	}
	for line := range strings.Lines(node.Talk.String()) {
		if strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, "panic") || strings.Contains(line, "database is locked") {
			t.Errorf("the log of a node contains %s", line)
		}
	}
}

// underLoad runs f while each chain refreshes and asks for its user, at the next node each time.
// Every request must succeed.
func (b *balanced) underLoad(t *testing.T, chains []signettest.Tokens, f func()) {
	t.Helper()
	var ended atomic.Bool
	var all sync.WaitGroup
	for i := range chains {
		all.Go(func() {
			for !ended.Load() {
				status, got, err := b.Refresh(b.Issuer, chains[i].Refresh)
				if err != nil || status != http.StatusOK {
					t.Errorf("chain %d: status %d, %s %s, %v", i, status, got.Error, got.Description, err)
					return
				}
				chains[i] = got
				if status := userinfo(t, b.Issuer, got.Access); status != http.StatusOK {
					t.Errorf("chain %d: status %d at userinfo", i, status)
				}
			}
		})
	}
	defer func() {
		ended.Store(true)
		all.Wait()
	}()
	f()
}

func userinfo(t *testing.T, at, token string) (status int) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+"/userinfo", nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := signettest.Crowd.Do(request)
	if err != nil {
		t.Error(err)
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// signInAndOut signs in, redeems, refreshes and signs out, each step at the next node. Afterwards
// each node knows that the session has ended.
func (b *balanced) signInAndOut(t *testing.T) {
	t.Helper()
	person := signettest.NewFormBrowser(t)
	got := signInAt(t, b.Cluster, signettest.NewGoParty(t, b.Instance, b.Client), person)
	for _, node := range b.nodes {
		if person.Open(node.Address + "/account"); person.At.Path != "/account" {
			t.Errorf("%s does not know the session", node.Address)
		}
	}
	person.Open(b.Issuer + "/end_session?" + url.Values{"id_token_hint": {got.idToken}}.Encode())
	for _, node := range b.nodes {
		if person.Open(node.Address + "/account"); person.At.Path == "/account" {
			t.Errorf("%s accepts a session that has ended", node.Address)
		}
	}
}

// wantSharing checks for each pair of nodes that the second node accepts the tokens of the first
// node, and that the first node refuses the grants and sessions that the second node has ended.
func (b *balanced) wantSharing(t *testing.T) {
	t.Helper()
	for _, from := range b.nodes {
		for _, to := range b.nodes {
			code := b.Codes(t, 1)[0]
			first := b.MustRedeem(t, from.Address, code)
			if _, err := oidc.NewVerifier(b.Issuer, oidc.NewRemoteKeySet(t.Context(), to.Address+"/jwks"),
				&oidc.Config{ClientID: b.Client.ID, SupportedSigningAlgs: []string{"ES256"}}).Verify(t.Context(), first.ID); err != nil {
				t.Errorf("the JWKS of another node does not verify an ID token: %v", err)
			}
			if !b.Active(t, to.Address, first.Access) || userinfo(t, to.Address, first.Access) != http.StatusOK {
				t.Errorf("another node refuses the access token")
			}
			status, second, err := b.Refresh(to.Address, first.Refresh)
			if err != nil || status != http.StatusOK {
				t.Fatalf("another node refuses the refresh token: status %d, %s, %v", status, second.Error, err)
			}
			if _, again, _ := b.Refresh(from.Address, first.Refresh); again.Refresh != second.Refresh {
				t.Errorf("a retry within the grace at another node got %q, want the same successor", again.Error)
			}
			if status, _, _ := b.Redeem(to.Address, code); status != http.StatusBadRequest {
				t.Errorf("another node redeems a code again: status %d", status)
			}
			if status, _, _ := b.Refresh(from.Address, second.Refresh); status != http.StatusBadRequest {
				t.Errorf("a grant that another node has revoked is refreshed: status %d", status)
			}
		}
	}
	cookies := b.AppCookies(t)
	for _, node := range b.nodes {
		for name, value := range refreshCookies(t, b.Issuer, node.Address, cookies) {
			cookies[name] = value
		}
	}
}

// refreshCookies refreshes the cookies of a first-party app at a node, and returns those that are set.
func refreshCookies(t *testing.T, issuer, at string, cookies map[string]string) map[string]string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/refresh", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", issuer)
	for name, value := range cookies {
		request.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer, err := signettest.Crowd.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%s refreshes the cookies of an app with %s", at, answer.Status)
	}
	set := map[string]string{}
	for _, cookie := range answer.Cookies() {
		set[cookie.Name] = cookie.Value
	}
	return set
}

// rotate rotates the keys with a program, and waits until every node publishes the next keys.
func (b *balanced) rotate(t *testing.T, program string) {
	t.Helper()
	b.Program = program
	b.Run(t, "", nil, "keys", "rotate", "--force", "--json")
	var list struct{ Keys []signettest.KeyRow }
	b.Run(t, "", &list, "keys", "list", "--json")
	for _, node := range b.nodes {
		signettest.Eventually(t, 20*time.Second, node.Address+" publishes the next keys", func() bool {
			_, jwks := signettest.Get(t, node.Address+"/jwks")
			return !slices.ContainsFunc(list.Keys, func(k signettest.KeyRow) bool {
				return k.State == "next" && k.Alg != "internal" && !strings.Contains(jwks, k.KeyID)
			})
		})
	}
}

// work does everything that the nodes must do together, and uses both programs as commands.
func (b *balanced) work(t *testing.T, stage string, chains []signettest.Tokens) {
	t.Helper()
	started, before := time.Now(), b.answered.Load()
	for range 3 {
		b.signInAndOut(t)
	}
	b.wantSharing(t)
	programs := []string{b.previous, ""}
	b.rotate(t, programs[b.rotations%2]) // not with both: at most eight retired keys
	b.rotations++
	b.signInAndOut(t)
	b.wantSharing(t)
	for i, program := range programs {
		email := fmt.Sprintf("person-%d-%d@example.com", b.rotations, i)
		b.Program = program
		b.Run(t, "", nil, "user", "create", "--email", email, "--json")
		b.Program = programs[1-i]
		b.Run(t, "", nil, "user", "show", email, "--json")
		b.Run(t, "", nil, "user", "delete", email, "--yes", "--json")
	}
	t.Logf("%s: %d requests in %s beside %d chains, all answered", stage, b.answered.Load()-before, time.Since(started).Round(time.Millisecond), len(chains))
}

// TestRelease_WorksBesideThePreviousOne upgrades two nodes of the previous release one after the
// other and puts the previous release back, while clients refresh and people sign in and out. On
// SQLite one process follows the other. No request fails, and each grant outlives all changes. It
// builds the previous release, which takes minutes, so only `make soak` runs it.
func TestRelease_WorksBesideThePreviousOne(t *testing.T) {
	if !signettest.InSoak() {
		return
	}
	previous := previousRelease(t)
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			b := balance(t, previous, database)
			first := b.start(t, previous)
			chains := make([]signettest.Tokens, 6)
			for i, code := range b.Codes(t, len(chains)) {
				chains[i] = b.MustRedeem(t, b.Issuer, code)
			}
			if backend == "sqlite" {
				b.underLoad(t, chains, func() { b.signInAndOut(t) })
				for _, step := range []struct{ stage, program string }{{"upgraded", ""}, {"put back", previous}, {"upgraded again", ""}} {
					b.stop(t, first)
					first = b.start(t, step.program)
					b.underLoad(t, chains, func() { b.work(t, step.stage, chains) })
				}
				b.stop(t, first)
				checkIntegrity(t, b.Cluster)
				return
			}
			second := b.start(t, previous)
			b.underLoad(t, chains, func() {
				b.signInAndOut(t)
				third := b.start(t, "") // brings the schema up to date
				b.stop(t, first)
				b.work(t, "one of two upgraded", chains)
				fourth := b.start(t, "")
				b.stop(t, second)
				b.work(t, "both upgraded", chains)
				fifth := b.start(t, previous)
				b.stop(t, third)
				b.work(t, "one of two put back", chains)
				b.stop(t, fourth)
				b.work(t, "both put back", chains)
				b.start(t, "")
				b.stop(t, fifth)
				b.work(t, "upgraded again", chains)
			})
		})
	}
}
