package cluster_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
)

// trySignIn tries a password at /login like the first-party app, at one process and with this
// device cookie. It returns the status and the new device cookie.
func trySignIn(t *testing.T, c *signettest.Cluster, at, pass, device string) (status int, newDevice string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"username": c.Email, "password": pass})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/login", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.AddCookie(&http.Cookie{Name: "signet_device", Value: device})
	response, err := signettest.Crowd.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for _, cookie := range response.Cookies() {
		if cookie.Name == "signet_device" {
			newDevice = cookie.Value
		}
	}
	if throttled := response.StatusCode == http.StatusTooManyRequests; throttled != (response.Header.Get("Retry-After") != "") {
		t.Errorf("status %d with Retry-After %q: want the header with 429 and only then", response.StatusCode, response.Header.Get("Retry-After"))
	}
	return response.StatusCode, newDevice
}

// TestThrottle_ProcessesCountTogether sets the limit to four. After two wrong passwords at each
// of two processes, both refuse further tries, also after one was killed and restarted. The
// browser of the owner can still sign in.
// PW-09: The count is shared by all nodes and survives a restart.
func TestThrottle_ProcessesCountTogether(t *testing.T) {
	c := signettest.NewCluster(t, "")
	c.CreateClient(t, "--type", "spa", "--first-party", "--redirect-uri", signettest.Nowhere)
	c.Env = append(c.Env, "SIGNET_RATE_LIMITS_ACCOUNT=4", "SIGNET_RATE_LIMITS_WINDOW=2h")
	first, second := c.Start(t, true), c.Start(t, false)
	status, home := trySignIn(t, c, first.Address, c.Password, "")
	if status != http.StatusOK || home == "" {
		t.Fatalf("the owner's first sign-in: status %d, device cookie %q", status, home)
	}
	for range 2 {
		for _, p := range []*signettest.Process{first, second} {
			if status, _ := trySignIn(t, c, p.Address, "wrong password", ""); status != http.StatusUnauthorized {
				t.Fatalf("a wrong password: status %d, want 401", status)
			}
		}
	}
	first.Kill()
	first = c.Start(t, true)
	for _, p := range []*signettest.Process{first, second} {
		if status, _ := trySignIn(t, c, p.Address, c.Password, ""); status != http.StatusTooManyRequests {
			t.Errorf("the right password after four wrong ones: status %d, want 429", status)
		}
		if status, _ := trySignIn(t, c, p.Address, c.Password, home); status != http.StatusOK {
			t.Errorf("the browser of the owner: status %d, want 200", status)
		}
	}
}
