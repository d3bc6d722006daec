package provider_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"signet/storage"
)

// Who reads the JWKS is counted by the name it gives itself, in memory; one write
// notes all of it.
func TestJWKSReaders_AreCountedByFamily(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		read := func(agent string) {
			t.Helper()
			r := mustGet(t, b.Issuer+"/jwks")
			r.Header.Set("User-Agent", agent)
			if a := do(t, direct, r); a.StatusCode != http.StatusOK {
				t.Fatal(a.StatusCode)
			}
		}
		for _, agent := range []string{
			"jose/v6.2.17", "jose/v6.2.17", "mod_auth_openidc-2.4.12.3", "Go-http-client/1.1", "Mozilla/5.0 (X11)", "", "<script>", "naïve",
		} {
			read(agent)
		}
		reads, writes := b.DB.Calls()
		if err := b.NoteReadersOnce(context.Background(), b.now()); err != nil {
			t.Fatal(err)
		}
		if err := b.NoteReadersOnce(context.Background(), b.now()); err != nil { // nothing new
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
		want := map[string]int64{"jose": 2, "mod_auth_openidc": 1, "Go-http-client": 1, "Mozilla": 1, "unnamed": 2, "na": 1}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
		// A flood of names is bounded in memory as well.
		for i := range 300 {
			read(fmt.Sprintf("reader%d", i))
		}
		if err := b.NoteReadersOnce(context.Background(), b.now()); err != nil {
			t.Fatal(err)
		}
		if list, err = b.DB.JWKSReaders(context.Background()); err != nil || len(list) > 200 {
			t.Errorf("%d families, %v", len(list), err)
		}
		others := slices.IndexFunc(list, func(r storage.JWKSReader) bool { return r.Family == storage.OtherReaders })
		if len(list) < 190 || len(list) > 200 || others < 0 || list[others].Fetches < 100 {
			t.Errorf("%d families; others at %d", len(list), others)
		}
	})
}
