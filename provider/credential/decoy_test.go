package credential_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
)

// guessed is what a stranger can compare: each answer, without what is new in all
// answers, and what it cost the database.
func guessed(t *testing.T, b *providertest.Testbed, name string, ask func() providertest.Answer) string {
	t.Helper()
	readsBefore, writesBefore := b.DB.Calls()
	a := ask()
	reads, writes := b.DB.Calls()
	return fmt.Sprintf("%d reads, %d writes: %s", reads-readsBefore, writes-writesBefore, comparable(a, name))
}

// decoyBy finds a name that shares its bucket with another under some hash.
func decoyBy(t *testing.T, name string, bucket func(string) string) string {
	t.Helper()
	want := bucket(name)
	for i := range 20_000_000 {
		if decoy := "d" + strconv.Itoa(100_000_000+i) + "@example.com"; bucket(decoy) == want {
			return decoy
		}
	}
	t.Fatal("no decoy")
	return ""
}

// plainBucket is what anybody can compute.
func plainBucket(name string) string {
	sum := sha256.Sum256([]byte(name))
	return string(sum[:2])
}

// A stranger who fills the limit of a name and then tries others learns nothing of
// accounts: an unkeyed hash finds no name that shares the limit, and one that does
// (found here with the key) answers the same whether there is an account or not.
func TestThrottle_DecoyTellsNothingOfAccounts(t *testing.T) {
	const unknown = "malik@example.com" // as long as alice's
	names := []string{providertest.Alice, unknown}
	var plain []string
	for _, name := range names {
		plain = append(plain, decoyBy(t, name, plainBucket))
	}
	providertest.EachGuarded(t, func(t *testing.T, b *providertest.Testbed) {
		ring := b.Insider(t)
		keyed := func(name string) string {
			bucket, err := ring.Bucket(name)
			if err != nil {
				t.Fatal(err)
			}
			return bucket
		}
		sharing := []string{decoyBy(t, names[0], keyed), decoyBy(t, names[1], keyed)}
		for door, try := range doors {
			stories := map[string]string{}
			for network, name := range names {
				var story strings.Builder
				ask := func(label, typed string, i int) providertest.Answer {
					var a providertest.Answer
					// Each guess comes from another network, each story from networks of its own.
					address := fmt.Sprintf("2001:db8:%x:%x::1", network, i)
					fmt.Fprintln(&story, label, guessed(t, b, typed, func() providertest.Answer {
						a = try(b.Visitor(t), t, typed, "wrong password", address)
						return a
					}))
					return a
				}
				for i := range 22 {
					ask(fmt.Sprintf("guess %d", i), name, i)
				}
				wantWrong(t, door+": a decoy by a plain hash", ask("plain decoy", plain[network], 30))
				wantLocked(t, door+": a decoy by the key", ask("keyed decoy", sharing[network], 31))
				stories[name] = story.String()
				b.Pass(16 * time.Minute)
			}
			if stories[providertest.Alice] != stories[unknown] {
				t.Errorf("%s: a known and an unknown name differ:\n%s\n%s", door, stories[providertest.Alice], stories[unknown])
			}
		}
	})
}

// The same of clients: nobody can compute which ids share a limit, and wrong secrets
// of known and unknown clients are answered alike.
func TestThrottle_DecoyTellsNothingOfClients(t *testing.T) {
	providertest.EachGuarded(t, func(t *testing.T, b *providertest.Testbed) {
		stories := map[string]string{}
		for network, id := range []string{b.Client.ID, "ppa"} {
			var story strings.Builder
			for i := range 22 {
				a := b.Present(t, "/token", id, "wrong", fmt.Sprintf("2001:db8:%x:%x::1", network, i))
				fmt.Fprintln(&story, i, comparable(a, id))
			}
			a := b.Present(t, "/token", decoyBy(t, id, plainBucket), "wrong", fmt.Sprintf("2001:db8:%x:ff::1", network))
			if a.StatusCode != http.StatusUnauthorized {
				t.Errorf("a decoy of %s: got %d", id, a.StatusCode)
			}
			stories[id] = story.String()
		}
		if stories[b.Client.ID] != stories["ppa"] {
			t.Errorf("a known and an unknown client differ:\n%s\n%s", stories[b.Client.ID], stories["ppa"])
		}
	})
}

// Every key of a throttle that holds something typed by a stranger is a bucket: the
// table holds neither names nor client ids.
func TestThrottle_KeysHoldNothingTyped(t *testing.T) {
	providertest.EachGuarded(t, func(t *testing.T, b *providertest.Testbed) {
		for _, try := range doors {
			for _, name := range []string{providertest.Alice, "typed-canary@example.com", "TYPED-canary"} {
				wantWrong(t, name, try(b.Visitor(t), t, name, "wrong password", "192.0.2.1"))
			}
		}
		for _, id := range []string{b.Client.ID, "typed-canary"} {
			providertest.WantRefusedClient(t, id, b.Present(t, "/token", id, "wrong", "192.0.2.1"))
		}
		for _, row := range b.Table(t, "throttles") {
			kind, value, _ := strings.Cut(row["bucket"], ":")
			switch kind {
			case "name", "decoy", "client":
				if strings.Trim(value, "0123456789") != "" {
					t.Errorf("throttle %q is no bucket", row["bucket"])
				}
			case "net", "clientnet":
			default:
				t.Errorf("throttle of an unknown kind: %q", row["bucket"])
			}
		}
	})
}
