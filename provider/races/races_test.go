package races_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// soaking reports whether each race runs many more rounds (make soak).
func soaking() bool { return os.Getenv("SIGNET_SOAK") != "" }

// rounds is the number of rounds of a race.
func rounds() int {
	if soaking() {
		return 200
	}
	return 8
}

// fewRounds is the number of rounds of a race that runs in many variants.
func fewRounds() int {
	if soaking() {
		return 200
	}
	return 3
}

// arena is a testbed with several nodes. Its client skips consent. Requests may be sent to
// any node.
type arena struct {
	*providertest.Testbed
	nodes []*providertest.Testbed

	mu      sync.Mutex
	answers int
	longest time.Duration
}

// eachArena runs the test on every database, with one node and with two.
func eachArena(t *testing.T, f func(t *testing.T, a *arena)) {
	t.Helper()
	for _, nodes := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) { f(t, newArena(t, backend, nodes)) })
		})
	}
}

func newArena(t *testing.T, backend storagetest.Backend, nodes int) *arena {
	t.Helper()
	withMail := providertest.WithMail(mailtest.Start(t)) // an undo needs its mail
	b := providertest.StartOn(t, backend, withMail)
	b.Client.SkipConsent = true
	b.Client.Metadata.IDTokenSignedResponseAlg = "ES256" // RS256 would be most of the work
	b.ChangeClient(t, func(*storage.Client) {})
	a := &arena{Testbed: b, nodes: []*providertest.Testbed{b}}
	for len(a.nodes) < nodes {
		a.nodes = append(a.nodes, b.Node(t, withMail))
	}
	t.Cleanup(func() {
		if a.answers > 0 {
			t.Logf("%d answers of the token endpoint, the slowest after %v", a.answers, a.longest)
		}
	})
	return a
}

// rounds returns fewRounds for one node and rounds for several.
func (a *arena) rounds() int {
	if len(a.nodes) > 1 {
		return rounds()
	}
	return fewRounds()
}

// tokenAnswer is an answer of the token endpoint to one of many parallel requests.
type tokenAnswer struct {
	status  int
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

func (a tokenAnswer) String() string { return fmt.Sprintf("%d %s", a.status, a.Error) }

// ask posts a form to the token endpoint of a node. It may be called from any goroutine.
func (a *arena) ask(t *testing.T, node int, form url.Values) tokenAnswer {
	start := time.Now()
	r, err := http.NewRequest(http.MethodPost, a.nodes[node%len(a.nodes)].Issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Error(err)
		return tokenAnswer{}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(a.Client.ID, a.Secret)
	response, err := providertest.ParallelClient.Do(r)
	if err != nil {
		t.Error(err)
		return tokenAnswer{}
	}
	defer response.Body.Close()
	answer := tokenAnswer{status: response.StatusCode}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Errorf("status %d: %v", answer.status, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers++
	a.longest = max(a.longest, time.Since(start))
	return answer
}

// rotation returns the form of a refresh request.
func rotation(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

// rotate refreshes and fails the test if the refresh is refused.
func (a *arena) rotate(t *testing.T, node int, token string) tokenAnswer {
	t.Helper()
	got := a.ask(t, node, rotation(token))
	if got.status != http.StatusOK {
		t.Fatalf("refresh: got %v", got)
	}
	return got
}

// signInAlice signs alice in with a new browser and redeems the code.
func (a *arena) signInAlice(t *testing.T) (*providertest.Visitor, tokenAnswer) {
	t.Helper()
	v := a.Visitor(t)
	code := v.SignIn(t, v.Get(t, a.AuthorizeURL()), providertest.Alice, providertest.Password).Code(t)
	return v, a.exchange(t, code)
}

// exchange redeems a code and fails the test if the code is refused.
func (a *arena) exchange(t *testing.T, code string) tokenAnswer {
	t.Helper()
	got := a.ask(t, 0, a.CodeForm(code))
	if got.status != http.StatusOK {
		t.Fatalf("redeem: got %v", got)
	}
	return got
}

// wantEnded fails the test unless every node refuses the tokens of these answers at once.
func (a *arena) wantEnded(t *testing.T, all ...tokenAnswer) {
	t.Helper()
	for i, node := range a.nodes {
		for _, one := range all {
			if got := userinfoStatus(t, node, one.Access); got != http.StatusUnauthorized {
				t.Fatalf("userinfo on node %d: got %d, want 401", i, got)
			}
			// A node that has read that the client is disabled answers invalid_client.
			if got := a.ask(t, i, rotation(one.Refresh)); got.Error != "invalid_grant" && got.Error != "invalid_client" {
				t.Fatalf("refresh on node %d: got %v, want invalid_grant", i, got)
			}
		}
	}
}

func userinfoStatus(t *testing.T, b *providertest.Testbed, token string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.Issuer+"/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := providertest.ParallelClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

// refreshHundredTimes uses one refresh token a hundred times at once on all nodes. All
// answers must have the same successor, which it returns.
func (a *arena) refreshHundredTimes(t *testing.T, token string) tokenAnswer {
	t.Helper()
	answers := make([]tokenAnswer, 100)
	providertest.Race(len(answers), func(i int) { answers[i] = a.ask(t, i, rotation(token)) })
	for _, one := range answers {
		if one.status != http.StatusOK {
			t.Fatalf("one of a hundred refreshes: got %v, want 200", one)
		}
		if one.Refresh != answers[0].Refresh {
			t.Fatalf("one token got two successors, of generations %d and %d", providertest.Generation(t, one.Refresh), providertest.Generation(t, answers[0].Refresh))
		}
	}
	if was, is := providertest.Generation(t, token), providertest.Generation(t, answers[0].Refresh); is != was+1 {
		t.Fatalf("generation: got %d after %d, want one more", is, was)
	}
	return answers[0]
}

// TestRaces_HundredRefreshesGetOneSuccessor also checks that the successor works. A replay of
// the old token that is too late ends the grant on all nodes at once.
// RT-03: 50 parallel refreshes with one token lead to one successor.
// RT-04: The same holds with two nodes, and with two processes on one SQLite file.
func TestRaces_HundredRefreshesGetOneSuccessor(t *testing.T) {
	eachArena(t, func(t *testing.T, a *arena) {
		v, first := a.signInAlice(t)
		for round := range a.rounds() {
			second := a.refreshHundredTimes(t, first.Refresh)
			late := []tokenAnswer{first, second}
			if round%2 == 0 {
				late = append(late, a.rotate(t, round, second.Refresh)) // RT-02: the successor was used
			} else {
				a.Advance(31 * time.Second) // RT-01: the grace is over
			}
			if got := a.ask(t, round+1, rotation(first.Refresh)); got.Error != "invalid_grant" {
				t.Fatalf("late replay of a refresh token: got %v, want invalid_grant", got)
			}
			a.wantEnded(t, late...)
			first = a.exchange(t, v.CodeFromSession(t))
		}
	})
}

// TestRaces_LostAnswersDoNotEndTheGrant: connections break after the request is sent. The
// client retries with its old token and gets a new one.
// RT-14: If the server is killed after the commit, the client's retry gets the same
// successor.
func TestRaces_LostAnswersDoNotEndTheGrant(t *testing.T) {
	eachArena(t, func(t *testing.T, a *arena) {
		_, tokens := a.signInAlice(t)
		for range rounds() {
			providertest.Race(5, func(i int) { a.askAndHangUp(t, i, rotation(tokens.Refresh)) })
			next := a.rotate(t, 0, tokens.Refresh)
			if was, is := providertest.Generation(t, tokens.Refresh), providertest.Generation(t, next.Refresh); is != was+1 {
				t.Fatalf("generation: got %d after %d, want one more: lost answers were counted", is, was)
			}
			tokens = a.rotate(t, 1, next.Refresh)
		}
	})
}

// askAndHangUp sends a whole request and closes its side of the connection. It ignores the
// answer and waits until the node has closed the connection.
func (a *arena) askAndHangUp(t *testing.T, node int, form url.Values) {
	target, err := url.Parse(a.nodes[node%len(a.nodes)].Issuer)
	if err != nil {
		t.Error(err)
		return
	}
	r, err := http.NewRequest(http.MethodPost, target.String()+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Connection", "close")
	r.SetBasicAuth(a.Client.ID, a.Secret)
	var whole bytes.Buffer
	if err := r.Write(&whole); err != nil {
		t.Error(err)
		return
	}
	line, err := net.Dial("tcp", target.Host)
	if err != nil {
		t.Error(err)
		return
	}
	defer line.Close()
	if _, err := line.Write(whole.Bytes()); err != nil {
		t.Error(err)
	}
	if err := line.(*net.TCPConn).CloseWrite(); err != nil {
		t.Error(err)
	}
	_, _ = io.Copy(io.Discard, line) // until it is closed or reset
}

// TestRaces_FiftyRedemptionsOfOneCode: one redemption succeeds, on one node and on two. The
// other redemptions are replays, so its tokens are revoked.
// CO-02: Of 50 parallel redemptions on one node, exactly one succeeds.
// CO-09: A replay during the first redemption leaves no valid tokens behind, or one use
// fails.
func TestRaces_FiftyRedemptionsOfOneCode(t *testing.T) {
	eachArena(t, func(t *testing.T, a *arena) {
		v, _ := a.signInAlice(t)
		for range a.rounds() {
			code := v.CodeFromSession(t)
			answers := make([]tokenAnswer, 50)
			providertest.Race(len(answers), func(i int) { answers[i] = a.ask(t, i, a.CodeForm(code)) })
			var won []tokenAnswer
			for _, one := range answers {
				switch {
				case one.status == http.StatusOK:
					won = append(won, one)
				case one.Error != "invalid_grant":
					t.Fatalf("one of fifty redemptions: got %v, want 200 or invalid_grant", one)
				}
			}
			if len(won) != 1 {
				t.Fatalf("%d of fifty redemptions of one code succeeded, want 1", len(won))
			}
			a.wantEnded(t, won...)
		}
	})
}
