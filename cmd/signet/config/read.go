package config

import "slices"

// Read reads all sources and collects all mistakes. Its result is valid only if Err returns
// nil.
func Read(from Sources) *Reading {
	r := newReading()
	env := r.ourVariables(from.Env)
	r.readFile(from.File, env[fileVariable], from.System)
	r.refuseUnknown(env, slices.Concat([]string{fileVariable}, r.readVariables(env), r.readConnectorVariables(env)))
	for _, s := range settings {
		if value, ok := from.Flags[s.key]; ok {
			r.process.set(s, Place{Source: fromFlag, Name: "--" + s.flagName()}, value)
		}
	}
	r.compare()
	r.compareDatabase(from.Env)
	r.deriveProviderSettings()
	return r
}

func newReading() *Reading {
	r := &Reading{Config: Default(), Files: Files{}, brokenIDs: map[string]bool{}}
	r.process = &values[Config]{
		reading: r, table: settings, target: &r.Config, given: map[string]givenValue{},
		lists: map[string]readList{"connectors": r.readConnectors},
	}
	r.Config.DataDir = absolutePath("", r.Config.DataDir)
	return r
}

// deriveProviderSettings sets the fields of the provider that depend on several settings.
func (r *Reading) deriveProviderSettings() {
	r.Config.Outbound = r.Config.outbound()
	r.Config.ModuleAlgorithms = r.Config.inModule()
	r.addConnectors()
}
