package webhook

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// The example of the libraries of Standard Webhooks.
func TestSecret_SignsTheExampleOfTheStandard(t *testing.T) {
	secret, err := ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseSecret_RefusesOtherForms(t *testing.T) {
	key := func(n int) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", n))) }
	for _, text := range []string{"", "whsec_", key(32), "whsec_" + key(23), "whsec_" + key(65), "whsec_!" + key(32)} {
		if s, err := ParseSecret(text); err == nil || s.IsSet() || strings.Contains(err.Error(), key(23)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, n := range []int{24, 32, 64} {
		if s, err := ParseSecret("whsec_" + key(n)); err != nil || len(s.Reveal()) != n {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
