package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"signet/cmd/signet/config"
)

// SettingFlags adds the flag --config to c, and the flags of the settings with these keys.
// Without keys it adds the flag of every setting that has one. It returns the value of
// --config.
func SettingFlags(c *cobra.Command, keys ...string) (file *string) {
	file = c.Flags().String("config", "", "file with the settings (default "+config.DefaultFile+" or "+config.SystemFile+", if it exists)")
	for _, f := range config.Flags() {
		if len(keys) == 0 || slices.Contains(keys, f.Key) {
			about := f.About
			if f.Default != "" {
				about = fmt.Sprintf("%s (default %q)", about, f.Default)
			}
			c.Flags().String(f.Name, "", about)
		}
	}
	return file
}

// Settings reads the settings of a command that has SettingFlags. file is the value of
// --config.
func (p *Program) Settings(c *cobra.Command, file string) (config.Config, error) {
	read := config.Read(p.Sources(c, file))
	return read.Config, read.Err()
}

// Sources returns the sources of the settings of c: file, environment and flags.
func (p *Program) Sources(c *cobra.Command, file string) config.Sources {
	given := map[string]string{}
	for _, setting := range config.Flags() {
		if f := c.Flags().Lookup(setting.Name); f != nil && f.Changed {
			given[setting.Key] = f.Value.String()
		}
	}
	return config.Sources{File: file, System: p.SystemSettings, Env: p.Env, Flags: given}
}
