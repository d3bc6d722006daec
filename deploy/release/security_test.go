package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSecurity_ExpiresWithinAYear(t *testing.T) {
	r := built(t, "security")
	fields := map[string]string{}
	for line := range strings.Lines(string(read(t, filepath.Join(r.out, "security.txt")))) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && !strings.HasPrefix(line, "#") {
			fields[name] = value
		}
	}
	expires, err := time.Parse(time.RFC3339, fields["Expires"])
	if err != nil || !expires.After(r.date.AddDate(0, 6, 0)) || !expires.Before(r.date.AddDate(1, 0, 0)) {
		t.Errorf("got Expires %q, %v", fields["Expires"], err)
	}
	if fields["Contact"] != r.contact {
		t.Errorf("got Contact %q", fields["Contact"])
	}
	for contact, right := range map[string]bool{
		"": true, "mailto:security@example.com": true, "https://example.com/report": true,
		"security@example.com": false, "http://example.com": false, "https:": false, "mailto:": false, "javascript:alert(1)": false, "https://example.com\nContact: https://attacker.example": false,
	} {
		if err := checkContact(contact); (err == nil) != right {
			t.Errorf("%q: got %v", contact, err)
		}
	}
}
