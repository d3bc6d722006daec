package keys_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
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

// The durations of TestKeys_RotateUnderLoad. As in production, a next key is published for longer
// than the servers need to see it. The cooldown of jose is in proportion: by default it is 30
// seconds, against the 10 minutes of --now.
var shrunk = []string{
	"SIGNET_KEYS_ROTATE_EVERY=3s", "SIGNET_KEYS_PUBLISH_BEFORE=3s", "SIGNET_KEYS_JWKS_MAX_AGE=2s",
	"SIGNET_LIFETIMES_ACCESS=5s", "SIGNET_LIFETIMES_ID=5s",
}

const shrunkCooldown = "100" // milliseconds

// The test rotates all lines again and again by their schedule while clients refresh. go-oidc and
// jose verify each new access and ID token immediately, and fetch the JWKS by their own rules. No
// token may fail.
func TestKeys_RotateUnderLoad(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			c := signettest.NewCluster(t, database)
			c.Client = c.CreateClient(t, "--type", "web", "--redirect-uri", signettest.Nowhere, "--skip-consent") // ID tokens with RS256
			start := func() (processes []*signettest.Process, at []string) {
				for first := true; len(processes) < map[string]int{"sqlite": 1, "postgres": 2}[backend]; first = false {
					processes = append(processes, c.Start(t, first))
					at = append(at, processes[len(processes)-1].Address)
				}
				return processes, at
			}
			// First without a rotation, for comparison.
			processes, at := start()
			still := checkUnderLoad(t, c, at, time.Minute, func(s *signers) bool { return s.refreshes() >= signettest.Soaking(300, 3000) })
			for _, p := range processes {
				p.Kill()
			}
			c.Env = append(c.Env, shrunk...)
			_, at = start()
			rounds := signettest.Soaking(4, 100)
			moving := checkUnderLoad(t, c, at, time.Duration(rounds)*10*time.Second, func(s *signers) bool { return s.count() >= 2*rounds })

			published := strings.Count(jwks(t, c), `"kid"`)
			if published > 20 {
				t.Errorf("%d keys are published: the retired keys are not removed", published)
			}
			if still.count() != 2 {
				t.Errorf("%d keys have signed although no rotation ran", still.count())
			}
			t.Logf("%d keys have signed, %d published at last; %d checks of fresh tokens, all good: %t",
				moving.count(), published, 4*moving.refreshes(), !t.Failed())
			t.Logf("POST /token without rotations: %s; with one every three seconds: %s", still.latency(), moving.latency())
		})
	}
}

// checkUnderLoad lets two clients refresh and verifies every new token, until the time is over.
func checkUnderLoad(t *testing.T, c *signettest.Cluster, at []string, longest time.Duration, enoughOf func(*signers) bool) *signers {
	t.Helper()
	goOIDC := oidc.NewRemoteKeySet(t.Context(), c.Issuer+"/jwks")
	jose := signettest.StartNode(t, "verifier.mjs", c.Issuer, shrunkCooldown)
	seen := &signers{}
	var enough atomic.Bool
	var all sync.WaitGroup
	for i, code := range c.Codes(t, 2) {
		_, first, err := c.Redeem(at[0], code)
		if err != nil {
			t.Fatal(err)
		}
		current := first.Refresh
		all.Go(func() {
			for turn := i; !enough.Load(); turn++ {
				asked := time.Now()
				got, err := refreshWhole(c, at[turn%len(at)], current)
				if err != nil {
					t.Errorf("refresh: %v", err)
					return
				}
				seen.took(time.Since(asked))
				current = got.Refresh
				for _, token := range []string{got.Access, got.ID} {
					if _, err := goOIDC.VerifySignature(t.Context(), token); err != nil {
						t.Errorf("go-oidc refuses a new token of %s: %v", kidOf(token), err)
					}
					if output := jose.Check(token); output != "ok" {
						t.Errorf("jose refuses a new token of %s: %s", kidOf(token), output)
					}
					seen.add(kidOf(token))
				}
			}
		})
	}
	signettest.Eventually(t, longest, "enough was checked", func() bool { return enoughOf(seen) || t.Failed() })
	enough.Store(true)
	all.Wait()
	return seen
}

// signers records the keys that signed tokens, and the durations of refreshes.
type signers struct {
	mu   sync.Mutex
	kids map[string]bool
	all  []time.Duration
}

func (s *signers) add(kid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kids == nil {
		s.kids = map[string]bool{}
	}
	s.kids[kid] = true
}

func (s *signers) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kids)
}

func (s *signers) refreshes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

func (s *signers) took(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, d)
}

func (s *signers) latency() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.all)
	return fmt.Sprintf("p50 %s, p99 %s, longest %s", s.all[len(s.all)/2], s.all[len(s.all)*99/100], s.all[len(s.all)-1])
}

func kidOf(token string) string {
	header, _, _ := strings.Cut(token, ".")
	raw, _ := base64.RawURLEncoding.DecodeString(header)
	var h struct{ Kid string }
	_ = json.Unmarshal(raw, &h)
	return h.Kid
}

// wholeAnswer is a token response with its ID token.
type wholeAnswer struct {
	signettest.Tokens
	ID string `json:"id_token"`
}

func refreshWhole(c *signettest.Cluster, at, token string) (got wholeAnswer, err error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	request, err := http.NewRequest(http.MethodPost, at+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return got, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(c.Client.ID, c.Client.Secret)
	response, err := signettest.Crowd.Do(request)
	if err != nil {
		return got, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil || response.StatusCode != http.StatusOK {
		return got, fmt.Errorf("%s: %s %w", response.Status, got.Error, err)
	}
	return got, nil
}

func jwks(t *testing.T, c *signettest.Cluster) string {
	t.Helper()
	_, body := signettest.Get(t, c.Issuer+"/jwks")
	return body
}
