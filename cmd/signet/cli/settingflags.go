package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"signet/cmd/signet/config"
)

// SettingFlags gives c the flag --config and one for each of those settings; without
// any, one for each setting that has a flag.
func SettingFlags(c *cobra.Command, keys ...string) (file *string) {
	file = c.Flags().String("config", "", "file with the settings (default "+config.DefaultFile+", if it exists)")
	for _, f := range config.Flags() {
		if len(keys) == 0 || slices.Contains(keys, f.Key) {
			c.Flags().String(f.Name, "", fmt.Sprintf("%s (default %q)", f.About, f.Default))
		}
	}
	return file
}

// Settings reads the settings for a command that has SettingFlags.
func (p *Program) Settings(c *cobra.Command, file string) (config.Config, error) {
	read := config.Read(p.Sources(c, file))
	return read.Config, read.Err()
}

// Sources says where such a command has its settings from.
func (p *Program) Sources(c *cobra.Command, file string) config.Sources {
	given := map[string]string{}
	for _, setting := range config.Flags() {
		if f := c.Flags().Lookup(setting.Name); f != nil && f.Changed {
			given[setting.Key] = f.Value.String()
		}
	}
	return config.Sources{File: file, Env: p.Env, Flags: given}
}
