package keys_test

import (
	"strings"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/storage"
	"signet/templates"
)

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// What a revocation will do and has done is told alike, by command and page, for a key
// of each state, with a next key and without.
func TestRevoke_IsToldBeforeAndAfter(t *testing.T) {
	at := noon.Add(time.Hour)
	cached, dead := stamp(at.Add(5*time.Minute)), stamp(at.Add(15*time.Minute))
	for name, c := range map[string]struct {
		line       string
		state      storage.KeyState
		change     func(*storage.Key) // of the rows beforehand
		succession string
		told       []string
		untold     string
	}{
		"active": {"ES256", storage.KeyActive, nil, "The next key, published since " + stamp(noon),
			[]string{"signs from now on; it has been published since " + stamp(noon), "until they read the JWKS again: by " + cached, "have all expired by " + dead}, "module"},
		"active, without a next key": {"ES256", storage.KeyActive, func(k *storage.Key) {
			if k.Line == "ES256" && k.State == storage.KeyNext {
				k.State, k.RevokedAt, k.Sealed = storage.KeyRevoked, storage.At(noon), []byte{}
			}
		}, "There is no next key: a new one", []string{"there was no next key, so relying parties see it only when", "by " + cached, "expired by " + dead}, "has been published since"},
		"next": {"ES256", storage.KeyNext, nil, "", []string{"It had signed nothing"}, "good faith"},
		"retired": {"ES256", storage.KeyRetired, func(k *storage.Key) {
			if k.Line == "ES256" {
				rotated(k)
				k.LongestLife, k.GoneAt = 15*time.Minute, storage.At(at.Add(time.Minute))
			}
		}, "", []string{"by " + cached, "expired by " + stamp(noon.Add(15*time.Minute))}, "from now on"},
		"internal": {storage.InternalLine, storage.KeyActive, nil, "The next one takes its place", []string{"takes its place"}, "JWKS"},
	} {
		h := open(t, "ES256")
		if c.change != nil {
			h = h.altered(t, c.change)
		}
		kid := h.kid(t, c.line, c.state)
		rows, life := h.rows(t), h.Life()
		for _, k := range rows {
			if got := templates.KeyConsequences(keys.ConsequencesOf(rows, k)).Succession(stamp); k.ID == kid && (!strings.HasPrefix(got, c.succession) || got != "" && c.succession == "") {
				t.Errorf("%s, beforehand: %q, want %q", name, got, c.succession)
			}
		}
		if _, ok := life.Aftermath(rows, kid); ok {
			t.Errorf("%s has an aftermath before it is revoked", name)
		}
		done, err := h.Revoke(t.Context(), kid, "leaked", storage.Origin{}, at)
		if err != nil {
			t.Fatal(err)
		}
		after, ok := life.Aftermath(h.rows(t), kid)
		if !ok || after.Was != string(c.state) || (after.Successor == "") != (done.Successor == nil) || done.Successor != nil && after.Successor != done.Successor.ID {
			t.Errorf("%s: read off the rows %+v, want as it was done: %+v", name, after, done)
		}
		told := strings.Join(templates.KeyAftermath(after).Sentences(stamp), "\n")
		for _, want := range append(c.told, kid+" is revoked: every server refuses it within a second.") {
			if !strings.Contains(told, want) {
				t.Errorf("%s: told\n%s\nwithout %q", name, told, want)
			}
		}
		if strings.Contains(told, c.untold) {
			t.Errorf("%s: told\n%s\nwith %q", name, told, c.untold)
		}
	}
	if _, ok := (keys.Life{}).Aftermath(nil, "nobody"); ok {
		t.Error("a key that is not there was revoked")
	}
}
