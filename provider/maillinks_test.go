package provider_test

import (
	"slices"
	"testing"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// A mail that waits and one that was sent leave a row with the name of the link, and nothing that
// opens it. The search finds a secret in each place, so it can fail.
func TestMailLinks_SearchFindsASecretInEachPlace(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithMail(mailtest.Start(t)))
		const canary = "canary-of-a-sealed-link"
		b.WantNowhere(t, canary)
		b.Log.Write([]byte(canary))
		if err := b.DB.RecordEvent(t.Context(), storage.Event{Type: storage.UserRefused, Outcome: storage.Refused, Reason: canary, UserID: b.Alice.ID}, b.Now()); err != nil {
			t.Fatal(err)
		}
		places := b.PlacesOf(t, canary)
		for _, place := range []string{"database", "events", "log"} {
			if !slices.Contains(places, place) {
				t.Errorf("the search finds it in %q, want also %s", places, place)
			}
		}
		if backend.Name == "sqlite" && !slices.Contains(places, "backup") {
			t.Errorf("the search finds it in %q, want also backup", places)
		}
	})
}
