package providertest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/credential"
	"signet/provider/directory"
	"signet/storage"
)

// WithRegistration sets the mode of registration. One network may register many clients, since
// all tests come from one.
func WithRegistration(mode directory.RegistrationMode) Option {
	return func(c *provider.Config) {
		c.Registration.Mode = mode
		c.Registration.PerNetwork = 1000
	}
}

// SendRegistration sends a document to a registration endpoint, with a bearer token unless it is
// "".
func (b *Testbed) SendRegistration(t testing.TB, method, address, token, document string) Answer {
	t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := Direct.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, response)
}

// RegisterItself registers a client at the registration endpoint and returns the answer, which
// must be 201.
func (b *Testbed) RegisterItself(t *testing.T, token, document string) map[string]any {
	t.Helper()
	answer := b.SendRegistration(t, http.MethodPost, b.Issuer+"/register", token, document)
	if answer.StatusCode != http.StatusCreated {
		t.Fatalf("register: got %d %s, want 201", answer.StatusCode, answer.Body)
	}
	return answer.JSON(t)
}

// InitialToken creates an initial access token for so many uses, which is valid for a day.
func (b *Testbed) InitialToken(t *testing.T, uses int64, hosts ...string) string {
	t.Helper()
	d := directory.New(directory.Deps{DB: b.DB, Passwords: credential.New(credential.Config{DB: b.DB, Params: CheapHash}), Now: b.Now})
	_, token, err := d.CreateRegistrationToken(t.Context(), storage.RegistrationToken{
		Name: "test", UsesLeft: uses, RedirectHosts: hosts, ExpiresAt: storage.At(b.Now().Add(24 * time.Hour)),
	}, storage.Origin{Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return token
}
