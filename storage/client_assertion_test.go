package storage_test

import (
	"testing"
	"time"

	"signet/storage"
)

func TestSpendAssertion_OncePerClient(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, step := range []struct {
			client, jti string
			want        bool
		}{
			{"a", "1", true}, {"a", "1", false}, {"b", "1", true}, {"a", "2", true}, {"a", "", true}, {"a", "a b\n\x00é", true}, {"a", "a b\n\x00é", false}, {"b", "1", false},
		} {
			fresh, err := w.SpendAssertion(t.Context(), step.client, step.jti, storage.At(noon.Add(time.Hour)))
			if err != nil || fresh != step.want {
				t.Errorf("client %s, jti %q: got %v, %v; want %v", step.client, step.jti, fresh, err, step.want)
			}
		}
	})
}

// A client that gets a key of its own loses its secrets, so that they are not valid again after a
// later change.
func TestReviseClient_KeyDeletesSecrets(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.replaceSecret(t, "first", time.Hour, noon)
		for _, method := range []string{storage.AuthPost, storage.AuthPrivateKey, storage.AuthBasic} {
			_, err := w.ReviseClient(t.Context(), w.client.ID, func(c *storage.Client) error {
				c.Metadata.TokenEndpointAuthMethod = method
				return nil
			}, storage.By{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			if method == storage.AuthPost {
				w.wantSecrets(t, noon, "first")
			} else {
				w.wantSecrets(t, noon)
			}
		}
	})
}
