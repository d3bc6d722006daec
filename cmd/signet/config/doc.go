// Package config owns the settings: one table says of each its key, default, unit,
// example and meaning, and one reader takes them from the file, from variables and from
// flags. A connector is read by the same reader over a table of its own.
//
// A configuration is right as a whole or it is refused, with every mistake, its place
// and an example. No mistake repeats a value that may be secret. The table is the
// documentation as well: explain, show, the JSON Schema and docs/settings.md come
// from it.
//
// To add a setting: a field in Config, or in provider.Config where the provider reads it;
// a row of the table, with a parser if the value is of a new form; the place that acts by
// it, in the provider or in cmd/signet/node; its row in docs/settings.md, which
// TestSettings_DocumentsListEverySetting -update writes; a mistake that an editor marks, in
// schema_test.go; and what is seen of it from outside, in the list of observations of
// cmd/signet/program/settingsactlist_test.go.
//
// The package opens nothing but the files that the settings name. It does not know
// commands, flags of a command line, databases or listeners.
package config
