package upkeep_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
)

// TestJWKSReaders_AreCountedByFamily: fetches of the JWKS are counted in memory by the product name in
// User-Agent, and stored with one write.
func TestJWKSReaders_AreCountedByFamily(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		read := func(agent string) {
			t.Helper()
			r := providertest.NewGetRequest(t, b.Issuer+"/jwks")
			r.Header.Set("User-Agent", agent)
			if a := providertest.Do(t, providertest.Direct, r); a.StatusCode != http.StatusOK {
				t.Fatal(a.StatusCode)
			}
		}
		for _, agent := range []string{
			"jose/v6.2.17", "jose/v6.2.17", "mod_auth_openidc-2.4.12.3", "Go-http-client/1.1", "Mozilla/5.0 (X11)", "", "<script>", "naïve",
		} {
			read(agent)
		}
		over, stop := context.WithCancel(t.Context())
		stop()
		if err := b.NoteReadersOnce(over, b.Now()); err == nil { // the counters are written later
			t.Error("no error although the context has ended")
		}
		read("jose/v6.2.17")
		reads, writes := b.DB.Calls()
		if err := b.NoteReadersOnce(context.Background(), b.Now()); err != nil {
			t.Fatal(err)
		}
		if err := b.NoteReadersOnce(context.Background(), b.Now()); err != nil { // no new fetches
			t.Fatal(err)
		}
		if r, w := b.DB.Calls(); r != reads || w != writes+1 {
			t.Errorf("%d reads and %d writes, want one write", r-reads, w-writes)
		}
		list, err := b.DB.JWKSReaders(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for _, r := range list {
			got[r.Family] = r.Fetches
		}
		want := map[string]int64{"jose": 3, "mod_auth_openidc": 1, "Go-http-client": 1, "Mozilla": 1, "unnamed": 2, "na": 1}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// TestJWKSReaders_InventedNamesDisplaceNoKnownReader: invented product names do not displace a known
// program, whatever the number of networks they come from and the order of the fetches.
func TestJWKSReaders_InventedNamesDisplaceNoKnownReader(t *testing.T) {
	for what, strangers := range map[string]int{"one network": 1, "many networks": 50} {
		t.Run(what, func(t *testing.T) {
			providertest.EachAppBehindProxy(t, func(t *testing.T, b *providertest.Testbed) {
				read := func(agent, address string) {
					t.Helper()
					r := providertest.NewGetRequest(t, b.Issuer+"/jwks")
					r.Header.Set("User-Agent", agent)
					r.Header.Set("X-Forwarded-For", address)
					if a := providertest.Do(t, providertest.Direct, r); a.StatusCode != http.StatusOK {
						t.Fatal(a.StatusCode)
					}
				}
				flush := func() {
					t.Helper()
					if err := b.NoteReadersOnce(context.Background(), b.Now()); err != nil {
						t.Fatal(err)
					}
					b.Advance(time.Minute)
				}
				for range 2 {
					read("jose/6", "192.0.2.1")
					flush()
				}
				for minute := range 3 {
					for i := range 450 {
						read(fmt.Sprintf("invented%d-%d", minute, i), fmt.Sprintf("198.51.100.%d", i%strangers))
					}
					read("jose/6", "192.0.2.1")
					flush()
				}
				list, err := b.DB.JWKSReaders(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				known := map[string]storage.JWKSReader{}
				var fetches int64
				for _, r := range list {
					known[r.Family], fetches = r, fetches+r.Fetches
				}
				if len(list) > storage.MaxReaders || fetches != 2+3*451 || known["jose"].Fetches != 5 || known["jose"].Visits != 5 {
					t.Errorf("got %d families, %d fetches, jose %+v", len(list), fetches, known["jose"])
				}
				if strangers == 1 && len(list) > 2+storage.MaxReadersOfOne {
					t.Errorf("one network has caused %d rows", len(list))
				}
			})
		})
	}
}
