package webhook

import (
	"encoding/base64"
	"os"
	"os/exec"
	"strconv"
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

// The receiver in docs/operation.md accepts what the sender signs, and nothing else.
func TestSign_IsVerifiedAsDocumented(t *testing.T) {
	guide, err := os.ReadFile("../../docs/operation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(guide), "```python\n")
	program, _, found := strings.Cut(program, "```")
	if !found || !strings.Contains(program, "def verify(") {
		t.Fatal("docs/operation.md has no verify in Python")
	}
	program += `
import sys
secret, moment, signature, body = sys.argv[1:]
print(verify(secret, {"webhook-id": "evt_1", "webhook-timestamp": moment, "webhook-signature": signature}, body.encode()))
`
	text := secretPrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	secret, err := ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	now, body := time.Now(), `{"type":"user.created"}`
	old := now.Add(-6 * time.Minute)
	for _, c := range []struct {
		what      string
		at        time.Time
		signature string
		body      string
		want      string
	}{
		{"a right signature", now, secret.sign("evt_1", now, []byte(body)), body, "True"},
		{"another body", now, secret.sign("evt_1", now, []byte(body)), body + " ", "False"},
		{"another event", now, secret.sign("evt_2", now, []byte(body)), body, "False"},
		{"an old call", old, secret.sign("evt_1", old, []byte(body)), body, "False"},
	} {
		got, err := exec.Command("python3", "-c", program, text, strconv.FormatInt(c.at.Unix(), 10), c.signature, c.body).CombinedOutput()
		if err != nil || strings.TrimSpace(string(got)) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.what, got, err, c.want)
		}
	}
}
