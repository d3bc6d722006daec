package config

import (
	"log/slog"
	"reflect"
	"strings"
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

// TestSettings_EachReachesAFieldOfItsOwn: a setting that only a restart takes over must
// be seen in the configuration, as a live one must, in one field that no other setting
// changes.
func TestSettings_EachReachesAFieldOfItsOwn(t *testing.T) {
	by := map[string]string{} // the setting that changes the field
	for _, s := range settings {
		c := Default()
		if err := s.set(&c, otherValue(t, s)); err != nil {
			if !strings.HasPrefix(s.key, "keys.pkcs11.") { // not in every build, nor on every machine
				t.Errorf("%s: %v", s.key, err)
			}
			continue
		}
		fields := differing("", reflect.ValueOf(Default()), reflect.ValueOf(c))
		if len(fields) != 1 {
			t.Errorf("%s changes the fields %q, want one", s.key, fields)
		}
		for _, field := range fields {
			if by[field] != "" {
				t.Errorf("%s and %s both change %s", by[field], s.key, field)
			}
			by[field] = s.key
		}
	}
}

// differing names the fields that differ, looking into each struct that can be read.
func differing(name string, a, b reflect.Value) []string {
	var names []string
	if a.Kind() != reflect.Struct || a.NumField() == 0 || !a.Type().Field(0).IsExported() {
		if !reflect.DeepEqual(a.Interface(), b.Interface()) {
			names = append(names, name)
		}
		return names
	}
	for i := range a.NumField() {
		names = append(names, differing(name+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))...)
	}
	return names
}
