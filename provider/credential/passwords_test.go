package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/credential"
	"signet/storage"
	"signet/storage/storagetest"
)

// byPage tries a password on the sign-in page.
func (v *visitor) byPage(t *testing.T, username, pass, address string) answer {
	t.Helper()
	f := v.get(t, v.b.authorizeURL("prompt", "login")).formTo(t, v.b.path("/login"), "", "")
	f.values.Set("username", username)
	f.values.Set("password", pass)
	r := v.formRequest(t, f)
	with("X-Forwarded-For", address)(r)
	return do(t, v.client, r)
}

// byApp tries a password through the first-party app.
func (v *visitor) byApp(t *testing.T, username, pass, address string) answer {
	t.Helper()
	body, err := json.Marshal(map[string]string{"username": username, "password": pass})
	if err != nil {
		t.Fatal(err)
	}
	return v.app(t, "/login", string(body), with("X-Forwarded-For", address))
}

// doors are the ways in with a user name and a password.
var doors = map[string]func(v *visitor, t *testing.T, username, pass, address string) answer{
	"page": (*visitor).byPage, "app": (*visitor).byApp,
}

func wantWrong(t *testing.T, what string, a answer) {
	t.Helper()
	status := http.StatusUnprocessableEntity
	if strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		status = http.StatusUnauthorized
	}
	if a.StatusCode != status || !strings.Contains(a.Body, "invalid_credentials") || len(a.Cookies()) != 0 || a.Header.Get("Retry-After") != "" {
		t.Fatalf("%s: got %d, cookies %v, want a wrong password:\n%s", what, a.StatusCode, a.Cookies(), a.Body)
	}
}

// wantLocked wants 429 with when to come back, in the header and in words.
func wantLocked(t *testing.T, what string, a answer) {
	t.Helper()
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if a.StatusCode != http.StatusTooManyRequests || !strings.Contains(a.Body, "too_many_attempts") || len(a.Cookies()) != 0 ||
		err != nil || seconds < 1 || seconds > 901 || !strings.Contains(a.Body, "Try again in "+minutes(seconds)) {
		t.Fatalf("%s: got %d, Retry-After %q, cookies %v, want it throttled:\n%s", what, a.StatusCode, a.Header.Get("Retry-After"), a.Cookies(), a.Body)
	}
}

func minutes(seconds int) string {
	if seconds < 90 {
		return fmt.Sprintf("%d s", seconds)
	}
	return fmt.Sprintf("%d min", (seconds+59)/60)
}

func (b *testbed) wantIn(t *testing.T, what string, a answer) {
	t.Helper()
	if a.StatusCode != http.StatusOK || !slices.ContainsFunc(a.Cookies(), func(c *http.Cookie) bool { return c.Name == b.sessionCookie() }) {
		t.Fatalf("%s: got %d, cookies %v, want a session:\n%s", what, a.StatusCode, a.Cookies(), a.Body)
	}
}

// lockOut uses up the attempts of an account from many addresses.
func (b *testbed) lockOut(t *testing.T, email string) {
	t.Helper()
	stranger := b.visitor(t)
	for i := range 20 {
		wantWrong(t, "a guess", stranger.byApp(t, email, "wrong password", fmt.Sprintf("198.51.100.%d", i)))
	}
	wantLocked(t, "one guess more", stranger.byApp(t, email, "wrong password", "198.51.100.20"))
}

// eachGuarded runs the test on every database, with an app and a proxy in front.
func eachGuarded(t *testing.T, f func(t *testing.T, b *testbed)) { eachApp(t, f, behindProxy) }

// comparable is all of an answer that its reader can compare with another's, but for
// what was typed and for what is new in every answer.
func comparable(a answer, username string) string {
	h := a.Header.Clone()
	h.Del("Date")
	body := strings.ReplaceAll(a.Body, username, "NAME")
	body = regexp.MustCompile(`name="request" value="[^"]+"`).ReplaceAllString(body, "REQUEST")
	if seconds, err := strconv.Atoi(h.Get("Retry-After")); err == nil { // the tests take a while, too
		body = strings.ReplaceAll(body, minutes(seconds), "A WHILE")
		h.Set("Retry-After", "A WHILE")
	}
	return fmt.Sprint(a.StatusCode, " ", len(a.Body), " ", slices.Sorted(maps.Keys(h)), h, "\n", body)
}

// Whoever has no right password hears the same, after the same calls, whoever has the
// account; and whoever comes too often hears the same with any password.
func TestPW01_PW02_PW22_EveryRefusalIsTheSameAnswer(t *testing.T) {
	eachGuarded(t, func(t *testing.T, b *testbed) {
		// As long as each other, as are then all answers.
		b.user(t, "disab@example.com", password)
		b.local(t, storage.User{Email: "unver@example.com"}, password)
		for email, hash := range map[string]string{"feder@example.com": "", "impor@example.com": "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"} {
			if _, err := b.DB.CreateUser(ctx, storage.User{Email: email}, hash, storage.By{From: here, At: b.now()}); err != nil {
				t.Fatal(err)
			}
		}
		b.disable(t, b.userBy(t, "disab@example.com").ID)
		attempts := [][2]string{
			{alice, "wrong password"}, {"nobod@example.com", password}, {"unver@example.com", "wrong password"},
			{"disab@example.com", password}, {"disab@example.com", "wrong password"}, {"feder@example.com", password}, {"impor@example.com", password},
			{alice, strings.Repeat("x", 1025)}, {"nobod@example.com", strings.Repeat("x", 1025)},
		}
		v := b.visitor(t)
		same := func(when string, want func(*testing.T, string, answer), tried [][2]string) {
			t.Helper()
			for door, try := range doors {
				var first, firstCalls string
				for i, in := range tried {
					what := fmt.Sprintf("%s, %s, %s %.20s", when, door, in[0], in[1])
					readsBefore, writesBefore := b.DB.Calls()
					a := try(v, t, in[0], in[1], fmt.Sprintf("203.0.113.%d", i))
					reads, writes := b.DB.Calls()
					want(t, what, a)
					calls := fmt.Sprint(reads-readsBefore, " reads, ", writes-writesBefore, " writes")
					if len(in[1]) > 1024 { // never looked up
						calls = firstCalls
					}
					if got := comparable(a, in[0]); first == "" {
						first, firstCalls = got, calls
					} else if got != first || calls != firstCalls {
						t.Errorf("%s: after %s\n%s\nwant, after %s\n%s", what, calls, got, firstCalls, first)
					}
				}
			}
		}
		same("before", wantWrong, attempts)
		for i, in := range attempts[:len(attempts)-2] {
			for a := v.byApp(t, in[0], "wrong password", ""); a.StatusCode != http.StatusTooManyRequests; {
				a = v.byApp(t, in[0], "wrong password", fmt.Sprintf("2001:db8:%x::1", i))
			}
		}
		same("throttled", wantLocked, append(attempts[:len(attempts)-2], [2]string{alice, password}, [2]string{"unver@example.com", password}))
		if log := b.Log.String(); strings.Contains(log, password) || strings.Contains(log, "nobod@") {
			t.Error("the log has what was typed")
		}
	})
}

// Going on trying keeps the writer free: who is over a limit is refused by two reads.
func TestPW04_WhatAnAttemptCosts(t *testing.T) {
	eachGuarded(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		cost := func(what string, wantReads, wantWrites int64, username string) {
			t.Helper()
			readsBefore, writesBefore := b.DB.Calls()
			v.byApp(t, username, "wrong password", "203.0.113.1")
			reads, writes := b.DB.Calls()
			if reads-readsBefore != wantReads || writes-writesBefore != wantWrites {
				t.Errorf("%s: %d reads and %d writes, want %d and %d", what, reads-readsBefore, writes-writesBefore, wantReads, wantWrites)
			}
		}
		for _, username := range []string{alice, "nobody@example.com"} {
			for range 20 {
				cost("a wrong password of "+username, 2, 2, username)
			}
			cost("one more of "+username, 2, 0, username)
		}
		if recorded := count(b.events(t), storage.UserSignInFailed); recorded != 20 {
			t.Errorf("%d events, want one for each that was compared", recorded)
		}
	})
}

// A password that was typed into the field of the name goes nowhere (PW-21).
func TestPW21_MistypedPasswordIsKeptNowhere(t *testing.T) {
	eachGuarded(t, func(t *testing.T, b *testbed) {
		const canary = "canary-of-a-password"
		for name, try := range doors {
			wantWrong(t, name, try(b.visitor(t), t, canary, canary, ""))
			wantWrong(t, name, try(b.visitor(t), t, alice, canary, ""))
		}
		if strings.Contains(b.Log.String(), canary) || strings.Contains(b.dumped(t), canary) {
			t.Error("it is in the log or in the database")
		}
	})
}

// One password for many accounts is counted by the network, whoever is tried.
func TestPW05_SprayingIsThrottledPerNetwork(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		for i := range 100 {
			wantWrong(t, "a guess", v.byApp(t, fmt.Sprintf("user%d@example.com", i), "Summer-of-42", fmt.Sprintf("2001:db8:0:1::%x", i+1)))
		}
		for name, try := range doors {
			wantLocked(t, name+", another address of the network", try(b.visitor(t), t, alice, password, "2001:db8:0:1:ffff::1"))
			b.wantIn(t, name+", another network", try(b.visitor(t), t, alice, password, "2001:db8:0:2::1"))
		}
	}, behindProxy)
}

// Counted is the account, however it is written, wherever it is typed.
func TestPW07_OneAccountHasOneCount(t *testing.T) {
	eachGuarded(t, func(t *testing.T, b *testbed) {
		spellings := []string{alice, "ALICE@example.com", " alice@Example.com ", "alice@ｅxample.com", "Alice@EXAMPLE.COM\t"}
		for i := range 10 {
			for name, try := range doors {
				wantWrong(t, name, try(b.visitor(t), t, spellings[i%len(spellings)], "wrong password", fmt.Sprintf("198.51.100.%d", i)))
			}
		}
		for _, spelling := range spellings {
			for name, try := range doors {
				wantLocked(t, name+" "+spelling, try(b.visitor(t), t, spelling, password, "203.0.113.1"))
			}
		}
		// What else a request says opens no other count.
		wantLocked(t, "with a client's credentials", b.visitor(t).app(t, "/login", credentials, with("Authorization", basic("bob@example.com", password))))
		f := b.visitor(t).get(t, b.authorizeURL()).form(t)
		for _, field := range []string{"email", "login", "user", "user_id", "client_id", "username2"} {
			f.values.Set(field, "bob@example.com")
		}
		f.values.Set("username", alice)
		f.values.Set("password", password)
		wantLocked(t, "with more fields", do(t, direct, b.visitor(t).formRequest(t, f)))
	})
}

// Who has an account wins no guesses at another by signing in to it.
func TestPW08_OwnSuccessResetsNothing(t *testing.T) {
	eachGuarded(t, func(t *testing.T, b *testbed) {
		b.user(t, "mallory@example.com", password)
		const address = "198.51.100.7"
		guess := func(email string) answer { return b.visitor(t).byApp(t, email, "wrong password", address) }
		for range 4 {
			for range 5 {
				wantWrong(t, "a guess", guess(alice))
			}
			for name, try := range doors {
				b.wantIn(t, name, try(b.visitor(t), t, "mallory@example.com", password, address))
			}
		}
		wantLocked(t, "the account", guess(alice))
		// Nor guesses from the network.
		for i := range 80 {
			wantWrong(t, "a guess", guess(fmt.Sprintf("user%d@example.com", i)))
		}
		wantLocked(t, "the network", guess("another@example.com"))
	})
}

// All nodes count together, and a new one goes on where they are.
func TestPW09_TestMN05_NodesCountTogether(t *testing.T) {
	eachGuarded(t, func(t *testing.T, b *testbed) {
		nodes := []*testbed{b, b.node(t, behindProxy, appAt(shop))}
		for i := range 10 {
			for _, node := range nodes {
				wantWrong(t, "a guess", node.visitor(t).byApp(t, alice, "wrong password", fmt.Sprintf("198.51.100.%d", i)))
			}
		}
		for i, node := range append(nodes, b.node(t, behindProxy, appAt(shop))) {
			for name, try := range doors {
				wantLocked(t, fmt.Sprintf("node %d, %s", i, name), try(node.visitor(t), t, alice, password, "203.0.113.1"))
			}
		}
	})
}

// Guesses at one instant, over two nodes: as many as the limit are compared.
func TestPW06_GuessesAtOnceAreNotComparedBeyondTheLimit(t *testing.T) {
	eachGuarded(t, func(t *testing.T, b *testbed) {
		nodes := []*testbed{b, b.node(t, behindProxy, appAt(shop))}
		var wrong, locked atomic.Int64
		race(60, func(i int) {
			a := nodes[i%2].visitor(t).byApp(t, alice, fmt.Sprintf("guess number %d", i), "198.51.100.7")
			switch a.StatusCode {
			case http.StatusUnauthorized:
				wrong.Add(1)
			case http.StatusTooManyRequests:
				locked.Add(1)
			default:
				t.Errorf("got %d %s", a.StatusCode, a.Body)
			}
		})
		if recorded := count(b.events(t), storage.UserSignInFailed); wrong.Load() != 20 || locked.Load() != 40 || recorded != 20 {
			t.Errorf("%d wrong, %d locked, %d recorded: want 20, 40 and 20", wrong.Load(), locked.Load(), recorded)
		}
	})
}

// What succeeds is not throttled, however many come at once to one account.
func TestPW06_RightPasswordsAtOnceAreAllLetIn(t *testing.T) {
	eachGuarded(t, func(t *testing.T, b *testbed) {
		race(60, func(int) {
			if a := b.visitor(t).byApp(t, alice, password, "198.51.100.7"); a.StatusCode != http.StatusOK {
				t.Errorf("got %d %s", a.StatusCode, a.Body)
			}
		})
		b.lockOut(t, alice) // after twenty guesses, and not before
	})
}

// A sender makes no other network of itself by headers: without a proxy that is
// trusted by none, behind one by none but the address that the proxy has added.
func TestPW10_HeadersMakeNoOtherNetwork(t *testing.T) {
	for added, behind := range map[string]option{"": func(*provider.Config) {}, ", 198.51.100.7": behindProxy} {
		appOnSQLite(t, func(t *testing.T, b *testbed) {
			try := func(i int) answer {
				address := fmt.Sprintf("203.0.113.%d", i)
				return b.visitor(t).app(t, "/login", fmt.Sprintf(`{"username":"user%d@example.com","password":"Summer-of-42"}`, i),
					with("X-Forwarded-For", address+added), with("X-Real-IP", address), with("Forwarded", "for="+address), with("True-Client-IP", address), with("CF-Connecting-IP", address))
			}
			for i := range 5 {
				wantWrong(t, "a guess", try(i))
			}
			wantLocked(t, "one more", try(5))
		}, behind, func(c *provider.Config) { c.RateLimits.Network = 5 })
	}
}

// Far more sign-ins at once than can be hashed: who has no place is told so at
// once, and nothing of it is counted as a guess.
func TestPW11_FloodIsToldToComeBack(t *testing.T) {
	appOnSQLite(t, func(t *testing.T, b *testbed) {
		form := b.visitor(t).get(t, b.authorizeURL()).form(t)
		var heard, busy atomic.Int64
		race(200, func(i int) {
			address, username := fmt.Sprintf("2001:db8:%x::1", i), fmt.Sprintf("user%d@example.com", i)
			var a answer
			if i%2 == 0 {
				a = b.visitor(t).byApp(t, username, "wrong password", address)
			} else {
				f := form
				f.values = url.Values{"request": form.values["request"], "username": {username}, "password": {"wrong password"}}
				r := b.visitor(t).formRequest(t, f)
				r.Header.Set("X-Forwarded-For", address)
				a = do(t, direct, r)
			}
			switch {
			case a.StatusCode == http.StatusUnauthorized || a.StatusCode == http.StatusUnprocessableEntity:
				heard.Add(1)
			case a.StatusCode == http.StatusServiceUnavailable && a.Header.Get("Retry-After") == "2" && strings.Contains(a.Body, "temporarily_unavailable") && strings.Contains(a.Body, "Try again in 2 s"):
				busy.Add(1)
			default:
				t.Errorf("got %d, Retry-After %q, %s", a.StatusCode, a.Header.Get("Retry-After"), a.Body)
			}
		})
		if heard.Load() < 64 || busy.Load() == 0 {
			t.Errorf("%d were heard and %d sent away: want as many heard as may wait, and others sent away", heard.Load(), busy.Load())
		}
		b.wantIn(t, "afterwards", b.visitor(t).byApp(t, alice, password, "198.51.100.7"))
		counted := 0
		for _, row := range b.table(t, "throttles") {
			if n, _ := strconv.Atoi(row["attempts"]); strings.HasPrefix(row["bucket"], "net:") {
				counted += n
			}
		}
		if counted != int(heard.Load()) {
			t.Errorf("%d attempts are counted, want the %d that were heard", counted, heard.Load())
		}
	}, behindProxy, func(c *provider.Config) { c.Passwords = credential.Params{Memory: 4 << 10, Time: 2, Threads: 1} })
}

// The page of the limit leaves the other ways in open.
func TestPW04_OtherWaysInStayOpen(t *testing.T) {
	onUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		first := b.visitor(t)
		first.allow(t, first.comeBy(t, "google", "ada"))
		v := b.visitor(t)
		page := v.get(t, b.authorizeURL())
		for range 20 {
			v.signIn(t, page, adaEmail, "wrong password")
		}
		locked := v.signIn(t, page, adaEmail, "wrong password")
		wantLocked(t, "the page", locked.answer)
		locked.wantText(t, "or sign in another way below")
		if s := v.through(t, locked, "google", "ada"); s.Left == nil {
			t.Errorf("at %s, status %d, want the client", s.At, s.StatusCode)
		}
	})
}

// Every place that asks for a password counts with all the others.
func TestPW24_AllDoorsCountTogether(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		_, option := withUpstreams(t)
		b := startOn(t, backend, option, appAt(shop))
		b.withApp(t)
		b.local(t, storage.User{Email: adaEmail, EmailVerified: true}, password)
		prover := b.visitor(t)
		proof := prover.comeBy(t, "google", "ada").formTo(t, "/login/link", "", "")
		strange := func() *visitor { // signed in, and yet not known
			v := b.visitor(t)
			b.wantIn(t, "at first", v.byPage(t, adaEmail, password, ""))
			v.keep("signet_device", "")
			return v
		}
		old := strange()
		b.pass(6 * time.Minute)
		signedIn := strange()
		change := signedIn.get(t, b.Issuer+"/account/password").formTo(t, "/account/password", "", "")
		stepUp := old.get(t, b.Issuer+"/account/password")
		stepUp.wantText(t, "Confirm it’s you")
		confirm := stepUp.formTo(t, "/login", "", "")
		tries := map[string]func(pass string) answer{
			"page": func(pass string) answer { return b.visitor(t).byPage(t, adaEmail, pass, "") },
			"app":  func(pass string) answer { return b.visitor(t).byApp(t, adaEmail, pass, "") },
			"change": func(pass string) answer {
				return signedIn.submit(t, change, "current-password", pass, "new-password", newPassword).answer
			},
			"step-up": func(pass string) answer { return old.submit(t, confirm, "username", adaEmail, "password", pass).answer },
			"proof":   func(pass string) answer { return prover.submit(t, proof, "password", pass).answer },
		}
		for range 4 {
			for name, try := range tries {
				wantWrong(t, name, try("wrong password"))
			}
		}
		for name, try := range tries {
			wantLocked(t, name, try(password))
		}
	})
}

// A form is read in one way only; JSON: TestPW17_FirstPartyBodiesAreReadStrictly.
func TestPW17_FormsAreReadStrictly(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		form := v.get(t, b.authorizeURL()).form(t)
		for body, status := range map[string]int{
			"username=bob%40example.com&username=alice%40example.com&password=" + url.QueryEscape(password): http.StatusBadRequest,
			"username=alice%40example.com&password=x&password=" + url.QueryEscape(password):                 http.StatusBadRequest,
			"username[]=alice%40example.com&password[]=" + url.QueryEscape(password):                        http.StatusUnprocessableEntity,
			"username[email]=alice%40example.com&password=" + url.QueryEscape(password):                     http.StatusUnprocessableEntity,
			"username=alice%40example.com%00&password=" + url.QueryEscape(password):                         http.StatusBadRequest,
			"username=alice%40example.com&password=%ff":                                                     http.StatusBadRequest,
			"username=alice%40example.com":                                                                  http.StatusUnprocessableEntity,
			"":                                                                                              http.StatusUnprocessableEntity,
		} {
			text := url.Values{"request": form.values["request"]}.Encode() + "&" + body
			r, err := http.NewRequest(http.MethodPost, form.action, strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", formType)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			if a := do(t, v.client, r); a.StatusCode != status || len(a.Cookies()) != 0 {
				t.Errorf("%s: got %d, cookies %v, want %d", body, a.StatusCode, a.Cookies(), status)
			}
		}
	})
}
