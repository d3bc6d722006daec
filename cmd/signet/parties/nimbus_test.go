package parties_test

import (
	"net/http"
	"testing"

	"signet/cmd/signet/signettest"
	"signet/storage"
)

// TestClients_Nimbus runs clients on the SDK of Nimbus. One registers itself with a key, pushes
// and signs its requests, refreshes, introspects, revokes, changes its registration and deletes itself.
// Three have pairwise subjects. One is a device.
func TestClients_Nimbus(t *testing.T) {
	if !signettest.InSoak() {
		return
	}
	i := signettest.NewInstance(t)
	i.Env = append(i.Env, "SIGNET_REGISTRATION_MODE=token")
	var initial struct {
		Token string `json:"token"`
	}
	i.Command(t, "", &initial, "registration", "token", "create", "--name", "A test", "--uses", "4", "--json")
	tv := i.CreateClient(t, "--type", "native", "--response-type", "", "--grant-type", storage.GrantDevice, "--grant-type", storage.GrantRefresh)
	i.Serve(t)
	nimbus := signettest.StartLines(t, ".", "java", append(javaClass(t, "NimbusParty"), i.Issuer)...)

	t.Run("registered", func(t *testing.T) {
		saw := tellStrictStory(t, nimbus, map[string]any{"story": "registered", "token": initial.Token, "redirect_uri": "https://shop.example.com/callback"}, signInAndAllow(i))
		saw.Subject = wantSubject(t, i, saw.Subject)
		if want := (strictReport{
			Life: 90, Subject: saw.Subject, Email: i.Email, SignedSubject: saw.Subject, Active: true,
			OtherKey: "invalid_client", OtherObject: "invalid_request_object", Revoked: "invalid_grant",
			Read: "Before", Changed: "After", Deleted: http.StatusNoContent, Gone: "invalid_token",
		}); saw != want {
			t.Errorf("the client saw %+v, want %+v", saw, want)
		}
	})
	t.Run("pairwise", func(t *testing.T) {
		subjects := map[string]string{}
		for client, uri := range map[string]string{"a": "https://a.example.com/callback", "b": "https://b.example.com/callback", "another of b": "https://b.example.com/other"} {
			saw := tellStrictStory(t, nimbus, map[string]any{"story": "pairwise", "token": initial.Token, "redirect_uri": uri}, signInAndAllow(i))
			subjects[client] = saw.Subject
		}
		if subjects["a"] == "" || subjects["a"] == subjects["b"] || subjects["b"] != subjects["another of b"] {
			t.Errorf("the clients saw the subjects %v; want one for each host", subjects)
		}
	})
	t.Run("device", func(t *testing.T) {
		saw := tellStrictStory(t, nimbus, map[string]any{"story": "device", "client_id": tv.ID}, letDeviceIn(i))
		saw.Subject = wantSubject(t, i, saw.Subject)
		if want := (strictReport{Life: 600, Interval: 5, Subject: saw.Subject, Refreshable: true, Again: "invalid_grant"}); saw != want {
			t.Errorf("the device saw %+v, want %+v", saw, want)
		}
	})
}
