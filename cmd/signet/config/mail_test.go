package config

import (
	"maps"
	"strings"
	"testing"

	"signet/provider/mail"
)

func TestConfig_MailSettings(t *testing.T) {
	whole := map[string]string{
		"SIGNET_SMTP_HOST": "smtp.example.com", "SIGNET_SMTP_PORT": "2525", "SIGNET_SMTP_TLS": "tls", "SIGNET_SMTP_USERNAME": "signet",
		"SIGNET_SMTP_PASSWORD": "secret", "SIGNET_MAIL_FROM": "Example <No-Reply@Bücher.example>",
	}
	byVariable, err := readConfig(Sources{File: fileWith(t, ""), Env: whole})
	if err != nil {
		t.Fatal(err)
	}
	byFile, err := readConfig(Sources{File: fileWith(t, "smtp: {host: smtp.example.com, port: 2525, tls: tls, username: signet, password: secret}\n"+
		"mail: {from: \"Example <No-Reply@xn--bcher-kva.example>\"}")})
	if err != nil {
		t.Fatal(err)
	}
	from, _ := mail.ParseSender("Example <No-Reply@xn--bcher-kva.example>")
	for source, c := range map[string]Config{"variables": byVariable, "file": byFile} {
		m := c.Mail
		if m.Host != "smtp.example.com" || m.Port != 2525 || m.Encryption != mail.TLS || m.Username != "signet" || m.Password.Reveal() != "secret" || m.From != from {
			t.Errorf("%s: %+v", source, m)
		}
	}
	with := func(changes ...string) map[string]string {
		env := maps.Clone(whole)
		for _, change := range changes {
			name, value, given := strings.Cut(change, "=")
			delete(env, name)
			if given {
				env[name] = value
			}
		}
		return env
	}
	for want, env := range map[string]map[string]string{
		"": with("SIGNET_SMTP_HOST=127.0.0.1", "SIGNET_SMTP_TLS=none"),
		"SIGNET_SMTP_PORT: is set, but smtp.host":                               with("SIGNET_SMTP_HOST"),
		"SIGNET_SMTP_HOST: is missing":                                          with("SIGNET_MAIL_FROM"),
		"SIGNET_SMTP_TLS: is none, but smtp.example.com is not a loopback host": with("SIGNET_SMTP_TLS=none"),
		`SIGNET_SMTP_TLS: is "ssl"`:                                             with("SIGNET_SMTP_TLS=ssl"),
		"SIGNET_SMTP_PORT: is 70000":                                            with("SIGNET_SMTP_PORT=70000"),
		"SIGNET_SMTP_HOST: is not a host":                                       with("SIGNET_SMTP_HOST=smtp.example.com:587"),
		"SIGNET_SMTP_USERNAME: is missing, but smtp.username":                   with("SIGNET_SMTP_PASSWORD"),
		"SIGNET_SMTP_PASSWORD: is missing, but smtp.password":                   with("SIGNET_SMTP_USERNAME"),
		"SIGNET_MAIL_FROM: is not an email address":                             with("SIGNET_MAIL_FROM=Example"),
	} {
		_, err := readConfig(Sources{File: fileWith(t, ""), Env: env})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
