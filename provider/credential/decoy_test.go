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

// guessed returns everything that an attacker can compare: the answer, without the parts that
// are new in every answer, and the number of database calls.
func guessed(t *testing.T, b *providertest.Testbed, name string, ask func() providertest.Answer) string {
	t.Helper()
	readsBefore, writesBefore := b.DB.Calls()
	a := ask()
	reads, writes := b.DB.Calls()
	return fmt.Sprintf("%d reads, %d writes: %s", reads-readsBefore, writes-writesBefore, comparable(a, name))
}

// decoyBy finds a name that has the same bucket as another name, for a bucket function.
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

// plainBucket is a bucket function without a key, which attackers can compute too.
func plainBucket(name string) string {
	sum := sha256.Sum256([]byte(name))
	return string(sum[:2])
}

// An attacker fills the limit of a name and then tries other names. That reveals no accounts:
// without the key, no name with the same bucket can be found. And such a name (found here
// with the key) gets the same answer whether or not the account exists.
func TestThrottle_SharedBucketsRevealNoAccounts(t *testing.T) {
	const unknown = "malik@example.com" // as long as alice's address
	names := []string{providertest.Alice, unknown}
	var plain []string
	for _, name := range names {
		plain = append(plain, decoyBy(t, name, plainBucket))
	}
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		ring := b.OpenKeys(t)
		keyed := func(name string) string {
			bucket, err := ring.Bucket(name)
			if err != nil {
				t.Fatal(err)
			}
			return bucket
		}
		sharing := []string{decoyBy(t, names[0], keyed), decoyBy(t, names[1], keyed)}
		for endpoint, try := range endpoints {
			stories := map[string]string{}
			for network, name := range names {
				var story strings.Builder
				ask := func(label, typed string, i int) providertest.Answer {
					var a providertest.Answer
					// Each guess comes from another network, and no two cases share a network.
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
				wantWrong(t, endpoint+": a decoy by a plain hash", ask("plain decoy", plain[network], 30))
				wantLocked(t, endpoint+": a decoy by the key", ask("keyed decoy", sharing[network], 31))
				stories[name] = story.String()
				b.Advance(16 * time.Minute)
			}
			if stories[providertest.Alice] != stories[unknown] {
				t.Errorf("%s: a known and an unknown name differ:\n%s\n%s", endpoint, stories[providertest.Alice], stories[unknown])
			}
		}
	})
}

// The same for clients: attackers cannot compute which ids share a limit, and wrong secrets
// of known and unknown clients get the same answer.
func TestThrottle_SharedBucketsRevealNoClients(t *testing.T) {
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		stories := map[string]string{}
		for network, id := range []string{b.Client.ID, "ppa"} {
			var story strings.Builder
			for i := range 22 {
				a := b.PostAsClient(t, "/token", id, "wrong", fmt.Sprintf("2001:db8:%x:%x::1", network, i))
				fmt.Fprintln(&story, i, comparable(a, id))
			}
			a := b.PostAsClient(t, "/token", decoyBy(t, id, plainBucket), "wrong", fmt.Sprintf("2001:db8:%x:ff::1", network))
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

// If the key of a throttle depends on typed text, it is a bucket: the table contains neither
// names nor client ids.
func TestThrottle_KeysContainNoTypedText(t *testing.T) {
	providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
		for _, try := range endpoints {
			for _, name := range []string{providertest.Alice, "typed-canary@example.com", "TYPED-canary"} {
				wantWrong(t, name, try(b.Visitor(t), t, name, "wrong password", "192.0.2.1"))
			}
		}
		for _, id := range []string{b.Client.ID, "typed-canary"} {
			providertest.WantRefusedClient(t, id, b.PostAsClient(t, "/token", id, "wrong", "192.0.2.1"))
		}
		for _, row := range b.Table(t, "throttles") {
			kind, value, _ := strings.Cut(row["bucket"], ":")
			switch kind {
			case "name", "decoy", "client":
				if strings.Trim(value, "0123456789") != "" {
					t.Errorf("the key %q is not a bucket", row["bucket"])
				}
			case "net", "clientnet":
			default:
				t.Errorf("the key %q has an unknown kind", row["bucket"])
			}
		}
	})
}
