package api_test

import (
	"database/sql/driver"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

func withKey(key string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Idempotency-Key", key) }
}

// TestIdempotency_ARepeatedCallActsOnce: a call with the key of an earlier one gets its answer and
// changes nothing. Another caller, path, body or parameter is another call.
func TestIdempotency_ARepeatedCallActsOnce(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminAll)
		check := answerCheck(t, b)
		create := func(o providertest.Operator, key, email string, change ...func(*http.Request)) providertest.Answer {
			t.Helper()
			a := o.Call(t, http.MethodPost, "/users", `{"email":"`+email+`","name":"Ada Lovelace of London"}`, append(change, withKey(key))...)
			check(t, a)
			return a
		}
		first := create(o, "one", "ada@example.com")
		b.Advance(time.Minute)
		again := o.Call(t, http.MethodPost, "/users", `{ "name": "Ada Lovelace of London", "email": "ada@example.com" }`, withKey("one"))
		if first.StatusCode != http.StatusCreated || again.StatusCode != http.StatusCreated || again.Body != first.Body ||
			again.Header.Get("ETag") != first.Header.Get("ETag") || again.Header.Get("Location") != first.Header.Get("Location") {
			t.Errorf("repeated: got %d %s, want %d %s", again.StatusCode, again.Body, first.StatusCode, first.Body)
		}
		create(o, "one", "eve@example.com").WantProblem(t, "another body", http.StatusConflict, "key_reused", "Idempotency-Key")
		create(o, "two", "ada@example.com").WantProblem(t, "another key", http.StatusConflict, "conflict", "email")
		if a := create(o, "two", "ben@example.com"); a.StatusCode != http.StatusCreated {
			t.Errorf("the key of a refused call: got %d %s", a.StatusCode, a.Body)
		}
		other := b.Operator(t, storage.ScopeAdminAll)
		if a := create(other, "one", "cyd@example.com"); a.StatusCode != http.StatusCreated {
			t.Errorf("the key of another caller: got %d %s", a.StatusCode, a.Body)
		}
		for _, key := range []string{"", " ", "a b", strings.Repeat("k", 256), "ü"} {
			create(o, key, "dan@example.com").WantProblem(t, "key "+key, http.StatusBadRequest, "invalid_header", "Idempotency-Key")
		}
		o.Call(t, http.MethodPost, "/users", `{"email":"dan@example.com"}`, withKey("three"), func(r *http.Request) { r.Header.Add("Idempotency-Key", "four") }).
			WantProblem(t, "two keys", http.StatusBadRequest, "invalid_header", "Idempotency-Key")
		dump := fmt.Sprint(b.DumpTables(t)["api_calls"])
		for _, secret := range []string{"ada@example", "ben@example", "Lovelace"} {
			if strings.Contains(dump, secret) {
				t.Errorf("the table of calls has %q", secret)
			}
		}
	})
}

// TestIdempotency_AnswersGoWithTheUser: the stored answers about a user are deleted with the user, those
// about others stay, and a repeated call does not act again.
func TestIdempotency_AnswersGoWithTheUser(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminAll)
		create := func(email string) providertest.Answer {
			t.Helper()
			return o.Call(t, http.MethodPost, "/users", `{"email":"`+email+`"}`, withKey(email))
		}
		other := create("other@example.com")
		calls := map[string]string{"/factors/reset": `{"reason":"lost"}`, "/links": `{"for":"password","reason":"lost"}`}
		at := "/users/" + create("gone@example.com").JSON(t)["sub"].(string)
		for path, body := range calls {
			if a := o.Call(t, http.MethodPost, at+path, body, withKey("k")); a.StatusCode != http.StatusOK {
				t.Fatalf("%s: got %d %s", path, a.StatusCode, a.Body)
			}
		}
		if a := o.Call(t, http.MethodDelete, at, ""); a.StatusCode != http.StatusNoContent {
			t.Fatalf("got %d %s", a.StatusCode, a.Body)
		}
		create("gone@example.com").WantProblem(t, "a new user", http.StatusConflict, "answer_lost", "Idempotency-Key")
		for path, body := range calls {
			o.Call(t, http.MethodPost, at+path, body, withKey("k")).WantProblem(t, path, http.StatusConflict, "answer_lost", "Idempotency-Key")
		}
		if _, _, err := b.DB.UserByEmail(t.Context(), "gone@example.com"); err == nil {
			t.Error("the repeated call has made the user again")
		}
		if again := create("other@example.com"); again.Body != other.Body {
			t.Errorf("another user: got %s, want %s", again.Body, other.Body)
		}
	})
}

// TestIdempotency_AfterADayAKeyIsNew: the answer is kept for 24 hours.
func TestIdempotency_AfterADayAKeyIsNew(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminAll)
		o.Call(t, http.MethodPost, "/users", `{"email":"ada@example.com"}`, withKey("one"))
		b.Advance(24 * time.Hour)
		o.Token = o.TokenRequest(t, url.Values{"grant_type": {storage.GrantClientCredentials}}).JSON(t)["access_token"].(string)
		o.Call(t, http.MethodPost, "/users", `{"email":"ada@example.com"}`, withKey("one")).
			WantProblem(t, "a day later", http.StatusConflict, "conflict", "email")
	})
}

// TestIdempotency_AKilledProcessActsAtMostOnce: between the reservation and the act, and between the
// act and its answer, the process ends. A repeated call acts only if the first one did not.
func TestIdempotency_AKilledProcessActsAtMostOnce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		var failing atomic.Pointer[string] // names of the calls of the database that fail
		b := providertest.Start(t, backend.OpenFaulty(t, func(name string) storage.Fault {
			if names := failing.Load(); names != nil && strings.Contains(*names, name) {
				return storage.Fault{Err: driver.ErrBadConn}
			}
			return storage.Fault{}
		}))
		fail := func(names string) { failing.Store(&names) }
		o := b.Operator(t, storage.ScopeAdminAll)
		body := `{"email":"ada@example.com"}`

		fail("create user, release call")
		if a := o.Call(t, http.MethodPost, "/users", body, withKey("before")); a.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("got %d %s", a.StatusCode, a.Body)
		}
		fail("none")
		o.Call(t, http.MethodPost, "/users", body, withKey("before")).WantProblem(t, "killed before the act, at once", http.StatusConflict, "call_in_flight", "Idempotency-Key")
		b.Advance(3 * time.Minute)
		if a := o.Call(t, http.MethodPost, "/users", body, withKey("before")); a.StatusCode != http.StatusCreated {
			t.Errorf("killed before the act: got %d %s", a.StatusCode, a.Body)
		}

		body = `{"email":"ben@example.com"}`
		fail("finish call")
		if a := o.Call(t, http.MethodPost, "/users", body, withKey("after")); a.StatusCode != http.StatusCreated {
			t.Fatalf("got %d %s", a.StatusCode, a.Body)
		}
		fail("none")
		b.Advance(3 * time.Minute)
		o.Call(t, http.MethodPost, "/users", body, withKey("after")).WantProblem(t, "killed after the act", http.StatusConflict, "answer_lost", "Idempotency-Key")
	})
}

// TestIdempotency_OfManyCallsAtOnceOneActs: two nodes get the same call several times at once.
func TestIdempotency_OfManyCallsAtOnceOneActs(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend)
		one := b.Operator(t, storage.ScopeAdminAll)
		two := providertest.Operator{Testbed: b.Node(t), Token: one.Token}
		answers := make(chan providertest.Answer, 8)
		for i := range cap(answers) {
			o := []providertest.Operator{one, two}[i%2]
			go func() { answers <- o.Call(t, http.MethodPost, "/users", `{"email":"ada@example.com"}`, withKey("k")) }()
		}
		bodies := map[string]bool{}
		for range cap(answers) {
			switch a := <-answers; a.StatusCode {
			case http.StatusCreated:
				bodies[a.Body] = true
			default:
				a.WantProblem(t, "beside the first call", http.StatusConflict, "call_in_flight", "Idempotency-Key")
			}
		}
		if len(bodies) != 1 {
			t.Errorf("got %d answers, want 1: %v", len(bodies), bodies)
		}
	})
}

// TestPaths_EveryErrorIsAProblem: below the API, every error is a problem document, also one that no
// operation answers.
func TestPaths_EveryErrorIsAProblem(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		o := b.Operator(t, storage.ScopeAdminAll)
		for _, c := range []struct {
			method, path string
			status       int
			code         string
		}{
			{"GET", "", 404, "not_found"},
			{"GET", "/", 404, "not_found"},
			{"GET", "/nothing", 404, "not_found"},
			{"POST", "/nothing/at/all", 404, "not_found"},
			{"GET", "/users/", 404, "not_found"},
			{"GET", "/USERS", 404, "not_found"},
			{"PUT", "/users", 405, "method_not_allowed"},
			{"TRACE", "/users", 405, "method_not_allowed"},
			{"POST", "/openapi.json", 405, "method_not_allowed"},
			{"GET", "//users", 400, "invalid_request"},
			{"GET", "/./users", 400, "invalid_request"},
			{"GET", "/x/../users", 400, "invalid_request"},
			{"GET", "/users%2f", 400, "invalid_request"},
		} {
			o.Call(t, c.method, c.path, "").WantProblem(t, c.method+" "+c.path, c.status, c.code, "")
		}
	})
}
