package credential_test

import (
	"context"
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
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// endpoints are the endpoints that accept a user name and a password.
var endpoints = map[string]func(v *providertest.Visitor, t *testing.T, username, pass, address string) providertest.Answer{
	"page": (*providertest.Visitor).TryPasswordOnPage, "app": (*providertest.Visitor).TryPasswordInApp,
}

func wantWrong(t *testing.T, label string, a providertest.Answer) {
	t.Helper()
	status := http.StatusUnprocessableEntity
	if strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		status = http.StatusUnauthorized
	}
	if a.StatusCode != status || !strings.Contains(a.Body, "invalid_credentials") || len(a.Cookies()) != 0 || a.Header.Get("Retry-After") != "" {
		t.Fatalf("%s: got %d, cookies %v, want a wrong password:\n%s", label, a.StatusCode, a.Cookies(), a.Body)
	}
}

// wantLocked wants 429 with the waiting time in the header and in words.
func wantLocked(t *testing.T, label string, a providertest.Answer) {
	t.Helper()
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if a.StatusCode != http.StatusTooManyRequests || !strings.Contains(a.Body, "too_many_attempts") || len(a.Cookies()) != 0 ||
		err != nil || seconds < 1 || seconds > 901 || !strings.Contains(a.Body, "Try again in "+minutes(seconds)) {
		t.Fatalf("%s: got %d, Retry-After %q, cookies %v, want it throttled:\n%s", label, a.StatusCode, a.Header.Get("Retry-After"), a.Cookies(), a.Body)
	}
}

func minutes(seconds int) string {
	if seconds < 90 {
		return fmt.Sprintf("%d s", seconds)
	}
	return fmt.Sprintf("%d min", (seconds+59)/60)
}

func wantSignedIn(t *testing.T, b *providertest.Testbed, label string, a providertest.Answer) {
	t.Helper()
	if a.StatusCode != http.StatusOK || !slices.ContainsFunc(a.Cookies(), func(c *http.Cookie) bool { return c.Name == b.SessionCookie() }) {
		t.Fatalf("%s: got %d, cookies %v, want a session:\n%s", label, a.StatusCode, a.Cookies(), a.Body)
	}
}

// lockOut uses up the attempts of an account from many addresses.
func lockOut(t *testing.T, b *providertest.Testbed, email string) {
	t.Helper()
	stranger := b.Visitor(t)
	for i := range 20 {
		wantWrong(t, "a guess", stranger.TryPasswordInApp(t, email, "wrong password", fmt.Sprintf("198.51.100.%d", i)))
	}
	wantLocked(t, "one guess more", stranger.TryPasswordInApp(t, email, "wrong password", "198.51.100.20"))
}

// comparable returns everything in an answer that its reader can compare with other answers.
// It leaves out typed text and the parts that are new in every answer.
func comparable(a providertest.Answer, username string) string {
	h := a.Header.Clone()
	h.Del("Date")
	body := strings.ReplaceAll(a.Body, username, "NAME")
	body = regexp.MustCompile(`name="request" value="[^"]+"`).ReplaceAllString(body, "REQUEST")
	body = regexp.MustCompile(`(<dt>Reference</dt><dd><code>)[0-9A-Z]{26}<`).ReplaceAllString(body, "${1}OF THE REQUEST<")
	if seconds, err := strconv.Atoi(h.Get("Retry-After")); err == nil { // the waiting time shrinks while the test runs
		body = strings.ReplaceAll(body, minutes(seconds), "A WHILE")
		h.Set("Retry-After", "A WHILE")
	}
	h.Del("Content-Length") // the length of the sealed request varies
	return fmt.Sprint(a.StatusCode, " ", len(body), " ", slices.Sorted(maps.Keys(h)), h, "\n", body)
}

// All refusals have the same answer after the same database calls, whether or not the account
// exists. A throttled account gives the same answer for every password.
// PW-01: Unknown user, wrong password and disabled user get the same answer until the password is right.
// PW-02: Refusals for known and unknown users also cost the same work.
// PW-22: A limited account gives the same answer for right and wrong passwords.
func TestPasswords_AllRefusalsHaveSameAnswer(t *testing.T) {
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		// All names have the same length, so all answers have the same length too.
		b.User(t, "disab@example.com", providertest.Password)
		b.CreateUser(t, storage.User{Email: "unver@example.com"}, providertest.Password)
		for email, hash := range map[string]string{"feder@example.com": "", "impor@example.com": "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"} {
			if _, err := b.DB.CreateUser(context.Background(), storage.User{Email: email}, hash, storage.By{From: providertest.TestOrigin, At: b.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		b.DisableUser(t, b.UserByEmail(t, "disab@example.com").ID)
		attempts := [][2]string{
			{providertest.Alice, "wrong password"}, {"nobod@example.com", providertest.Password}, {"unver@example.com", "wrong password"},
			{"disab@example.com", providertest.Password}, {"disab@example.com", "wrong password"}, {"feder@example.com", providertest.Password}, {"impor@example.com", providertest.Password},
			{providertest.Alice, strings.Repeat("x", 1025)}, {"nobod@example.com", strings.Repeat("x", 1025)},
		}
		v := b.Visitor(t)
		same := func(when string, want func(*testing.T, string, providertest.Answer), tried [][2]string) {
			t.Helper()
			for endpoint, try := range endpoints {
				var first, firstCalls string
				for i, in := range tried {
					label := fmt.Sprintf("%s, %s, %s %.20s", when, endpoint, in[0], in[1])
					readsBefore, writesBefore := b.DB.Calls()
					a := try(v, t, in[0], in[1], fmt.Sprintf("203.0.113.%d", i))
					reads, writes := b.DB.Calls()
					want(t, label, a)
					calls := fmt.Sprint(reads-readsBefore, " reads, ", writes-writesBefore, " writes")
					if len(in[1]) > 1024 { // refused before the user is read
						calls = firstCalls
					}
					if got := comparable(a, in[0]); first == "" {
						first, firstCalls = got, calls
					} else if got != first || calls != firstCalls {
						t.Errorf("%s: after %s\n%s\nwant, after %s\n%s", label, calls, got, firstCalls, first)
					}
				}
			}
		}
		same("before", wantWrong, attempts)
		for i, in := range attempts[:len(attempts)-2] {
			for a := v.TryPasswordInApp(t, in[0], "wrong password", ""); a.StatusCode != http.StatusTooManyRequests; {
				a = v.TryPasswordInApp(t, in[0], "wrong password", fmt.Sprintf("2001:db8:%x::1", i))
			}
		}
		same("throttled", wantLocked, append(attempts[:len(attempts)-2], [2]string{providertest.Alice, providertest.Password}, [2]string{"unver@example.com", providertest.Password}))
		if log := b.Log.String(); strings.Contains(log, providertest.Password) || strings.Contains(log, "nobod@") {
			t.Error("the log contains typed text")
		}
	})
}

// An attempt over a limit costs two reads and no write, so repeated attempts do not load the
// writer of the database.
// PW-04: Wrong passwords for one account are limited, and the owner can still sign in from a known browser.
func TestPasswords_DatabaseCostOfAttempts(t *testing.T) {
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		cost := func(label string, wantReads, wantWrites int64, username string) {
			t.Helper()
			readsBefore, writesBefore := b.DB.Calls()
			v.TryPasswordInApp(t, username, "wrong password", "203.0.113.1")
			reads, writes := b.DB.Calls()
			if reads-readsBefore != wantReads || writes-writesBefore != wantWrites {
				t.Errorf("%s: %d reads and %d writes, want %d and %d", label, reads-readsBefore, writes-writesBefore, wantReads, wantWrites)
			}
		}
		for _, username := range []string{providertest.Alice, "nobody@example.com"} {
			for range 20 {
				cost("a wrong password of "+username, 2, 2, username)
			}
			cost("one more of "+username, 2, 0, username)
		}
		if recorded := providertest.CountEvents(b.Events(t), storage.UserSignInFailed); recorded != 20 {
			t.Errorf("%d events, want one for each compared attempt", recorded)
		}
	})
}

// A password that was typed into the name field is neither logged nor stored.
// PW-21: A password in the name field does not end in the log.
func TestPasswords_PasswordInNameFieldIsNotStored(t *testing.T) {
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		const canary = "canary-of-a-password"
		for name, try := range endpoints {
			wantWrong(t, name, try(b.Visitor(t), t, canary, canary, ""))
			wantWrong(t, name, try(b.Visitor(t), t, providertest.Alice, canary, ""))
		}
		if strings.Contains(b.Log.String(), canary) || strings.Contains(b.DumpDatabase(t), canary) {
			t.Error("the typed password is in the log or in the database")
		}
	})
}

// If one password is tried on many accounts, the limit of the network applies.
// PW-05: One password tried on many accounts is limited for each network.
func TestPasswords_SprayingIsThrottledPerNetwork(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		for i := range 100 {
			wantWrong(t, "a guess", v.TryPasswordInApp(t, fmt.Sprintf("user%d@example.com", i), "Summer-of-42", fmt.Sprintf("2001:db8:0:1::%x", i+1)))
		}
		for name, try := range endpoints {
			wantLocked(t, name+", another address of the network", try(b.Visitor(t), t, providertest.Alice, providertest.Password, "2001:db8:0:1:ffff::1"))
			wantSignedIn(t, b, name+", another network", try(b.Visitor(t), t, providertest.Alice, providertest.Password, "2001:db8:0:2::1"))
		}
	}, providertest.BehindProxy)
}

// An account has one count for all spellings of its address and all endpoints.
// PW-07: Other spellings of a name do not get around the count.
func TestPasswords_OneAccountHasOneCount(t *testing.T) {
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		spellings := []string{providertest.Alice, "ALICE@example.com", " alice@Example.com ", "alice@ｅxample.com", "Alice@EXAMPLE.COM\t"}
		for i := range 10 {
			for name, try := range endpoints {
				wantWrong(t, name, try(b.Visitor(t), t, spellings[i%len(spellings)], "wrong password", fmt.Sprintf("198.51.100.%d", i)))
			}
		}
		for _, spelling := range spellings {
			for name, try := range endpoints {
				wantLocked(t, name+" "+spelling, try(b.Visitor(t), t, spelling, providertest.Password, "203.0.113.1"))
			}
		}
		// Other values in the request do not change the count.
		wantLocked(t, "with a client's credentials", b.Visitor(t).CallApp(t, "/login", providertest.Credentials, providertest.WithHeader("Authorization", providertest.Basic("bob@example.com", providertest.Password))))
		v := b.Visitor(t)
		f := v.Get(t, b.AuthorizeURL()).Form(t)
		for _, field := range []string{"email", "login", "user", "user_id", "client_id", "username2"} {
			f.Values.Set(field, "bob@example.com")
		}
		f.Values.Set("username", providertest.Alice)
		f.Values.Set("password", providertest.Password)
		wantLocked(t, "with more fields", providertest.Do(t, v.Client, v.FormRequest(t, f)))
	})
}

// A successful sign-in to one account does not reset the count of another.
// PW-08: The attacker's own successful sign-in does not reset the count.
func TestPasswords_OwnSignInResetsNoOtherCount(t *testing.T) {
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, "mallory@example.com", providertest.Password)
		const address = "198.51.100.7"
		guess := func(email string) providertest.Answer {
			return b.Visitor(t).TryPasswordInApp(t, email, "wrong password", address)
		}
		for range 4 {
			for range 5 {
				wantWrong(t, "a guess", guess(providertest.Alice))
			}
			for name, try := range endpoints {
				wantSignedIn(t, b, name, try(b.Visitor(t), t, "mallory@example.com", providertest.Password, address))
			}
		}
		wantLocked(t, "the account", guess(providertest.Alice))
		// It does not reset the count of the network either.
		for i := range 80 {
			wantWrong(t, "a guess", guess(fmt.Sprintf("user%d@example.com", i)))
		}
		wantLocked(t, "the network", guess("another@example.com"))
	})
}

// All nodes share the counts, and a new node continues them.
// PW-09: The count is shared by all nodes and survives a restart.
// MN-05: Limits are shared by all nodes.
func TestPasswords_NodesCountTogether(t *testing.T) {
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		nodes := []*providertest.Testbed{b, b.Node(t, providertest.BehindProxy, providertest.WithAppOrigins(providertest.Shop))}
		for i := range 10 {
			for _, node := range nodes {
				wantWrong(t, "a guess", node.Visitor(t).TryPasswordInApp(t, providertest.Alice, "wrong password", fmt.Sprintf("198.51.100.%d", i)))
			}
		}
		for i, node := range append(nodes, b.Node(t, providertest.BehindProxy, providertest.WithAppOrigins(providertest.Shop))) {
			for name, try := range endpoints {
				wantLocked(t, fmt.Sprintf("node %d, %s", i, name), try(node.Visitor(t), t, providertest.Alice, providertest.Password, "203.0.113.1"))
			}
		}
	})
}

// Of many guesses at once on two nodes, only as many as the limit are compared.
// PW-06: Parallel guesses are counted before they are hashed.
func TestPasswords_ParallelGuessesStayWithinLimit(t *testing.T) {
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		nodes := []*providertest.Testbed{b, b.Node(t, providertest.BehindProxy, providertest.WithAppOrigins(providertest.Shop))}
		var wrong, locked atomic.Int64
		providertest.Race(60, func(i int) {
			a := nodes[i%2].Visitor(t).TryPasswordInApp(t, providertest.Alice, fmt.Sprintf("guess number %d", i), "198.51.100.7")
			switch a.StatusCode {
			case http.StatusUnauthorized:
				wrong.Add(1)
			case http.StatusTooManyRequests:
				locked.Add(1)
			default:
				t.Errorf("got %d %s", a.StatusCode, a.Body)
			}
		})
		if recorded := providertest.CountEvents(b.Events(t), storage.UserSignInFailed); wrong.Load() != 20 || locked.Load() != 40 || recorded != 20 {
			t.Errorf("%d wrong, %d locked, %d recorded: want 20, 40 and 20", wrong.Load(), locked.Load(), recorded)
		}
	})
}

// Correct passwords are not throttled, even if many come at once for one account.
// PW-06: Parallel guesses are counted before they are hashed.
func TestPasswords_ParallelCorrectPasswordsSucceed(t *testing.T) {
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		providertest.Race(60, func(int) {
			if a := b.Visitor(t).TryPasswordInApp(t, providertest.Alice, providertest.Password, "198.51.100.7"); a.StatusCode != http.StatusOK {
				t.Errorf("got %d %s", a.StatusCode, a.Body)
			}
		})
		lockOut(t, b, providertest.Alice) // after exactly twenty guesses
	})
}

// A sender cannot change its network by headers. Without a trusted proxy all headers are
// ignored; behind one, only the address that the proxy has added counts.
// PW-10: Forwarding headers count only from trusted proxies.
func TestPasswords_HeadersCannotChangeNetwork(t *testing.T) {
	for added, behind := range map[string]providertest.Option{"": func(*provider.Config) {}, ", 198.51.100.7": providertest.BehindProxy} {
		providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			try := func(i int) providertest.Answer {
				address := fmt.Sprintf("203.0.113.%d", i)
				return b.Visitor(t).CallApp(t, "/login", fmt.Sprintf(`{"username":"user%d@example.com","password":"Summer-of-42"}`, i),
					providertest.WithHeader("X-Forwarded-For", address+added), providertest.WithHeader("X-Real-IP", address), providertest.WithHeader("Forwarded", "for="+address), providertest.WithHeader("True-Client-IP", address), providertest.WithHeader("CF-Connecting-IP", address))
			}
			for i := range 5 {
				wantWrong(t, "a guess", try(i))
			}
			wantLocked(t, "one more", try(5))
		}, behind, func(c *provider.Config) { c.RateLimits.Network = 5 })
	}
}

// If many more sign-ins come at once than can be hashed, the surplus gets 503 immediately
// and is not counted as guesses.
// PW-11: Too many sign-ins at once get 503; memory stays bounded.
func TestPasswords_FloodGetsRetryAfter(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		form := v.Get(t, b.AuthorizeURL()).Form(t)
		var compared, busy atomic.Int64
		providertest.Race(200, func(i int) {
			address, username := fmt.Sprintf("2001:db8:%x::1", i), fmt.Sprintf("user%d@example.com", i)
			var a providertest.Answer
			if i%2 == 0 {
				a = b.Visitor(t).TryPasswordInApp(t, username, "wrong password", address)
			} else {
				f := form
				f.Values = url.Values{"request": form.Values["request"], "username": {username}, "password": {"wrong password"}}
				r := v.FormRequest(t, f)
				r.Header.Set("X-Forwarded-For", address)
				a = providertest.Do(t, v.Client, r)
			}
			switch {
			case a.StatusCode == http.StatusUnauthorized || a.StatusCode == http.StatusUnprocessableEntity:
				compared.Add(1)
			case a.StatusCode == http.StatusServiceUnavailable && a.Header.Get("Retry-After") == "2" && strings.Contains(a.Body, "temporarily_unavailable") && strings.Contains(a.Body, "Try again in 2 s"):
				busy.Add(1)
			default:
				t.Errorf("got %d, Retry-After %q, %s", a.StatusCode, a.Header.Get("Retry-After"), a.Body)
			}
		})
		if compared.Load() < 64 || busy.Load() == 0 {
			t.Errorf("%d sign-ins were compared and %d got 503: want at least 64 compared and at least one 503", compared.Load(), busy.Load())
		}
		wantSignedIn(t, b, "afterwards", b.Visitor(t).TryPasswordInApp(t, providertest.Alice, providertest.Password, "198.51.100.7"))
		counted := 0
		for _, row := range b.Table(t, "throttles") {
			if n, _ := strconv.Atoi(row["attempts"]); strings.HasPrefix(row["bucket"], "net:") && !strings.HasSuffix(row["bucket"], "/48") {
				counted += n
			}
		}
		if counted != int(compared.Load()) {
			t.Errorf("%d attempts are counted, want the %d that were compared", counted, compared.Load())
		}
	}, providertest.BehindProxy, func(c *provider.Config) { c.Passwords = credential.Params{Memory: 4 << 10, Time: 2, Threads: 1} })
}

// The page of a throttled sign-in still offers the connectors.
// PW-04: Wrong passwords for one account are limited, and the owner can still sign in from a known browser.
func TestPasswords_ThrottledPageOffersConnectors(t *testing.T) {
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		first := b.Visitor(t)
		first.Allow(t, first.AuthorizeThrough(t, "google", "ada"))
		v := b.Visitor(t)
		page := v.Get(t, b.AuthorizeURL())
		for range 20 {
			v.SignIn(t, page, providertest.AdaEmail, "wrong password")
		}
		locked := v.SignIn(t, page, providertest.AdaEmail, "wrong password")
		wantLocked(t, "the page", locked.Answer)
		locked.WantText(t, "or sign in another way below")
		if s := v.SignInThrough(t, locked, "google", "ada"); s.LeftTo == nil {
			t.Errorf("at %s, status %d, want the client", s.At, s.StatusCode)
		}
	})
}

// All forms that ask for a password share one count.
// PW-24: Every place that asks for a password counts failures, and the old password is needed to change it.
func TestPasswords_AllPasswordFormsCountTogether(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		_, option := providertest.WithUpstreams(t)
		b := providertest.StartOn(t, backend, option, providertest.WithAppOrigins(providertest.Shop))
		b.RegisterApp(t)
		b.CreateUser(t, storage.User{Email: providertest.AdaEmail, EmailVerified: true}, providertest.Password)
		prover := b.Visitor(t)
		proof := prover.AuthorizeThrough(t, "google", "ada").FormTo(t, "/login/link", "", "")
		strange := func() *providertest.Visitor { // signed in, but the browser is not a known one
			v := b.Visitor(t)
			wantSignedIn(t, b, "at first", v.TryPasswordOnPage(t, providertest.AdaEmail, providertest.Password, ""))
			v.SetCookie("signet_device", "")
			return v
		}
		old := strange()
		b.Advance(6 * time.Minute)
		signedIn := strange()
		change := signedIn.Get(t, b.Issuer+"/account/password").FormTo(t, "/account/password", "", "")
		stepUp := old.Get(t, b.Issuer+"/account/password")
		stepUp.WantText(t, "Confirm it’s you")
		confirm := stepUp.FormTo(t, "/login", "", "")
		tries := map[string]func(pass string) providertest.Answer{
			"page": func(pass string) providertest.Answer {
				return b.Visitor(t).TryPasswordOnPage(t, providertest.AdaEmail, pass, "")
			},
			"app": func(pass string) providertest.Answer {
				return b.Visitor(t).TryPasswordInApp(t, providertest.AdaEmail, pass, "")
			},
			"change": func(pass string) providertest.Answer {
				return signedIn.Submit(t, change, "current-password", pass, "new-password", providertest.NewPassword).Answer
			},
			"step-up": func(pass string) providertest.Answer {
				return old.Submit(t, confirm, "username", providertest.AdaEmail, "password", pass).Answer
			},
			"proof": func(pass string) providertest.Answer { return prover.Submit(t, proof, "password", pass).Answer },
		}
		for range 4 {
			for name, try := range tries {
				wantWrong(t, name, try("wrong password"))
			}
		}
		for name, try := range tries {
			wantLocked(t, name, try(providertest.Password))
		}
	})
}

// Forms are read strictly. For JSON see TestFirstParty_BodiesAreReadStrictly.
// PW-17: JSON of a wrong shape is refused.
func TestPasswords_FormsAreReadStrictly(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		form := v.Get(t, b.AuthorizeURL()).Form(t)
		for body, status := range map[string]int{
			"username=bob%40example.com&username=alice%40example.com&password=" + url.QueryEscape(providertest.Password): http.StatusBadRequest,
			"username=alice%40example.com&password=x&password=" + url.QueryEscape(providertest.Password):                 http.StatusBadRequest,
			"username[]=alice%40example.com&password[]=" + url.QueryEscape(providertest.Password):                        http.StatusUnprocessableEntity,
			"username[email]=alice%40example.com&password=" + url.QueryEscape(providertest.Password):                     http.StatusUnprocessableEntity,
			"username=alice%40example.com%00&password=" + url.QueryEscape(providertest.Password):                         http.StatusBadRequest,
			"username=alice%40example.com&password=%ff":                                                                  http.StatusBadRequest,
			"username=alice%40example.com": http.StatusUnprocessableEntity,
			"":                             http.StatusUnprocessableEntity,
		} {
			text := url.Values{"request": form.Values["request"]}.Encode() + "&" + body
			r, err := http.NewRequest(http.MethodPost, form.Action, strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", providertest.FormType)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			if a := providertest.Do(t, v.Client, r); a.StatusCode != status || len(a.Cookies()) != 0 {
				t.Errorf("%s: got %d, cookies %v, want %d", body, a.StatusCode, a.Cookies(), status)
			}
		}
	})
}
