package config

import (
	"log/slog"
	"reflect"
	"testing"
)

// TestLive_IsWhatTheTableSays: each setting that a running server takes over reaches
// it, as a part of Live, as the level of the log, or as the files of the certificate; and
// no other setting does.
func TestLive_IsWhatTheTableSays(t *testing.T) {
	type reached struct {
		live  any
		level slog.Level
		files CertificateFiles
	}
	of := func(c Config) reached { return reached{c.Live(), c.LogLevel, c.TLS} }
	for _, s := range settings {
		value := s.example
		if s.key == "log.level" {
			value = "debug" // the example is the default
		}
		c := Default()
		if err := s.set(&c, value); err != nil {
			continue // the example is prose, or names a file
		}
		if changed := !reflect.DeepEqual(of(c), of(Default())); changed != s.live && s.key != "signup" {
			t.Errorf("%s: taken over is %v, and the table says %v", s.key, changed, s.live)
		}
	}
	// The setting signup decides for the connectors that do not decide themselves.
	file := written(t, "signup: closed\nconnectors: [{id: a, type: oidc, client_id: a, issuer: \"https://x.example\"}]\n")
	if live := Read(Sources{File: file}).Config.Live(); len(live.Connectors) != 1 || live.Connectors[0].SignUp {
		t.Errorf("signup: closed, and the connectors are %+v", live.Connectors)
	}
}
