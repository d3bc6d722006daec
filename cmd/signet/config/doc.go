// Package config owns the settings. One table lists for each setting its key, default, unit,
// example and meaning. One reader takes the values from the file, from environment variables
// and from flags. Connectors are read by the same reader with their own table.
//
// A configuration with any mistake is refused as a whole. All mistakes are reported at once,
// each with its place and an example. No mistake repeats a value that may be secret. The table
// is also the documentation: explain, show, the JSON Schema and docs/settings.md are made from
// it.
//
// To add a setting:
//   - a field in Config, or in provider.Config if the provider reads it
//   - a row in the table, and a parser if the value has a new form
//   - the code that uses it, in the provider or in cmd/signet/node
//   - its row in docs/settings.md: TestSettings_DocumentsListEverySetting -update writes it
//   - a mistake that an editor must mark, in schema_test.go
//   - its visible effect, in the list of cmd/signet/program/settingsactlist_test.go
//
// The package opens only the files that the settings name. It does not know commands,
// command-line flags, databases or listeners.
package config
