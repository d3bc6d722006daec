package config

import "reflect"

// LiveChanges returns the names of the settings that differ between two readings and that a
// running server applies without a restart.
func LiveChanges(before, after *Reading) []string {
	names := changedSettings(before, after, true)
	if !reflect.DeepEqual(before.Config.Connectors, after.Config.Connectors) {
		names = append(names, "connectors")
	}
	return names
}

// RestartChanges returns the names of the settings that differ between two readings and that
// need a restart. A new certificate needs no restart, but a change between http and https
// does.
func RestartChanges(before, after *Reading) []string {
	names := changedSettings(before, after, false)
	if before.Config.TLS.IsSet() != after.Config.TLS.IsSet() {
		names = append(names, "tls.cert", "tls.key")
	}
	return names
}

func changedSettings(before, after *Reading, live bool) []string {
	var names []string
	for _, s := range settings {
		if s.live == live && before.process.given[s.key].text != after.process.given[s.key].text {
			names = append(names, s.key)
		}
	}
	return names
}
