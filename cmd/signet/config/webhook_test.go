package config

import (
	"slices"
	"strings"
	"testing"

	"signet/storage"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestConfig_WebhookSettings(t *testing.T) {
	file := fileWith(t, "events:\n  webhook:\n    url: https://siem.example.com/signet\n    types: [user.disabled, client.updated]\n")
	c, err := readConfig(Sources{File: file, Env: map[string]string{"SIGNET_EVENTS_WEBHOOK_SECRET": webhookSecret}})
	if err != nil {
		t.Fatal(err)
	}
	w := c.Webhook
	if w.URL != "https://siem.example.com/signet" || len(w.Secret.Reveal()) != 24 || !slices.Equal(w.Types, []storage.EventType{storage.UserDisabled, storage.ClientUpdated}) {
		t.Errorf("got %+v", w)
	}
	if f := w.Forwarding(); !f.On || len(f.Types) != 2 {
		t.Errorf("forwarding %+v", f)
	}
	if Default().Webhook.Forwarding().On {
		t.Error("events are queued although no webhook is set")
	}
}

func TestConfig_RefusesAnIncompleteWebhook(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"no secret":       {"URL": "https://siem.example.com"},
		"no address":      {"SECRET": webhookSecret},
		"short secret":    {"URL": "https://siem.example.com", "SECRET": "whsec_c2hvcnQ="},
		"plain http":      {"URL": "http://siem.example.com", "SECRET": webhookSecret},
		"a user":          {"URL": "https://me:pass@siem.example.com", "SECRET": webhookSecret},
		"no such type":    {"URL": "https://siem.example.com", "SECRET": webhookSecret, "TYPES": "user.sigend_in"},
		"another scheme":  {"URL": "file:///etc/passwd", "SECRET": webhookSecret},
		"no host":         {"URL": "https:///signet", "SECRET": webhookSecret},
		"relative":        {"URL": "/signet", "SECRET": webhookSecret},
		"with a fragment": {"URL": "https://siem.example.com/#a", "SECRET": webhookSecret},
	} {
		all := map[string]string{}
		for key, value := range env {
			all["SIGNET_EVENTS_WEBHOOK_"+key] = value
		}
		_, err := readConfig(Sources{File: fileWith(t, ""), Env: all})
		if err == nil || !strings.Contains(err.Error(), "events.webhook.") && !strings.Contains(err.Error(), "EVENTS_WEBHOOK") {
			t.Errorf("%s: got %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), webhookSecret) {
			t.Errorf("%s: the error has the secret: %v", name, err)
		}
	}
}
