package config

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

// Each live setting of the table changes a value that a running server applies: a part of Live,
// the log level, or the files of the certificate. No other setting does.
func TestLive_MatchesTheTable(t *testing.T) {
	type liveValues struct {
		live  any
		level slog.Level
		files CertificateFiles
	}
	of := func(c Config) liveValues { return liveValues{c.Live(), c.LogLevel, c.TLS} }
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
			t.Errorf("%s: it changes a live value: %v, but the table has live: %v", s.key, changed, s.live)
		}
	}
	// The setting signup counts for connectors that do not set it themselves, and for everybody if
	// it is open.
	for value, want := range map[string]struct{ connector, open bool }{"closed": {false, false}, "connectors": {true, false}, "open": {true, true}} {
		file := fileWith(t, "signup: "+value+"\nconnectors: [{id: a, type: oidc, client_id: a, issuer: \"https://x.example\"}]\n")
		if live := Read(Sources{File: file}).Config.Live(); len(live.Connectors) != 1 || live.Connectors[0].SignUp != want.connector || live.OpenSignUp != want.open {
			t.Errorf("signup: %s, but the settings are %+v", value, live)
		}
	}
}

// Each setting changes exactly one field of the configuration, and no other setting changes that
// field.
func TestSettings_EachHasItsOwnField(t *testing.T) {
	by := map[string]string{} // the setting that changes the field
	for _, s := range settings {
		c := Default()
		if err := s.set(&c, otherValue(t, s)); err != nil {
			if !strings.HasPrefix(s.key, "keys.pkcs11.") { // not in every build, nor on every machine
				t.Errorf("%s: %v", s.key, err)
			}
			continue
		}
		fields := differingFields("", reflect.ValueOf(Default()), reflect.ValueOf(c))
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

// differingFields returns the names of the fields that differ. It descends into structs with exported
// fields.
func differingFields(name string, a, b reflect.Value) []string {
	var names []string
	if a.Kind() != reflect.Struct || a.NumField() == 0 || !a.Type().Field(0).IsExported() {
		if !reflect.DeepEqual(a.Interface(), b.Interface()) {
			names = append(names, name)
		}
		return names
	}
	for i := range a.NumField() {
		names = append(names, differingFields(name+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))...)
	}
	return names
}
