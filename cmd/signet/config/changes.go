package config

import "reflect"

// LiveChanges names the settings that differ between two readings and that a running
// server takes over.
func LiveChanges(before, after *Reading) []string {
	names := differ(before, after, true)
	if !reflect.DeepEqual(before.Config.Connectors, after.Config.Connectors) {
		names = append(names, "connectors")
	}
	return names
}

// RestartChanges names the settings that differ between two readings and that only a
// restart takes over. The files of a certificate are followed, but not whether there is
// one.
func RestartChanges(before, after *Reading) []string {
	names := differ(before, after, false)
	if before.Config.TLS.IsSet() != after.Config.TLS.IsSet() {
		names = append(names, "tls.cert", "tls.key")
	}
	return names
}

func differ(before, after *Reading, live bool) []string {
	var names []string
	for _, s := range settings {
		if s.live == live && before.process.given[s.key].text != after.process.given[s.key].text {
			names = append(names, s.key)
		}
	}
	return names
}
