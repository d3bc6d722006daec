package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/spelling"
)

func (p *program) configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check the settings, show them, and explain one"}
	asNoun(c)
	c.AddCommand(p.configCheckCommand(), p.configShowCommand(), p.configExplainCommand(), p.configSchemaCommand())
	return c
}

func (p *program) configCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Say whether serve would start with these settings, and all that is wrong with them",
		Long: `Say whether serve would start with these settings, and all that is wrong with them,
without a start: nothing is made and nobody is called. Exit code 3 if there is any mistake.`,
		Args: exactly(),
	}
	file := configFlags(c, serveFlags...)
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		read := readSources(p.sources(c, *file))
		warnings := p.checkBeyond(read)
		for _, warning := range warnings {
			p.say("%s", warning)
		}
		if *asJSON {
			return errors.Join(p.writeJSON(checkedConfig{read.err() == nil, describeMistakes(read.wrong), warnings}), read.err())
		}
		if err := read.err(); err != nil {
			return err
		}
		_, err := fmt.Fprintln(p.stdout, "ok")
		return err
	}
	return c
}

// checkBeyond complains of what only serve needs, and gives what it would warn of.
func (p *program) checkBeyond(read *reader) (warnings []string) {
	if read.config.Issuer == "" && read.given["issuer"].source == "" {
		read.complain(place{}, "issuer", "is missing: it is the address people reach this server at (example: %s)", optionOf(settings, "issuer").example)
	}
	var leaf *x509.Certificate
	if files := read.config.TLS; files.Cert != "" && files.Key != "" {
		opened, err := p.certificate(read)
		if wrong, ok := errors.AsType[configErrors](err); ok {
			read.wrong = append(read.wrong, wrong...)
		}
		leaf = opened.leaf()
	}
	return p.warnings(read.config, leaf)
}

// checkedConfig is what a check found, as --json shows it.
type checkedConfig struct {
	OK       bool               `json:"ok"`
	Mistakes []describedMistake `json:"mistakes"`
	Warnings []string           `json:"warnings"`
}

type describedMistake struct {
	describedPlace
	Key     string `json:"key,omitempty"`
	Mistake string `json:"mistake"`
}

// describedPlace says where a value stands: in a file, a variable or a flag.
type describedPlace struct {
	Source   string `json:"source,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Variable string `json:"variable,omitempty"`
	Flag     string `json:"flag,omitempty"`
}

func (p place) described() describedPlace {
	d := describedPlace{Source: p.source, Line: p.line}
	switch p.source {
	case fromFile:
		d.File = p.name
	case fromEnvironment:
		d.Variable = p.name
	case fromFlag:
		d.Flag = p.name
	}
	return d
}

func describeMistakes(wrong []mistake) []describedMistake {
	described := make([]describedMistake, len(wrong)) // never null
	for i, m := range wrong {
		described[i] = describedMistake{m.place.described(), m.key, m.text}
	}
	return described
}

func (p *program) configShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "show",
		Short:   "List all settings with their values and where each comes from; secrets as ***",
		Example: "  signet config show --config signet.yaml",
		Args:    exactly(),
	}
	file := configFlags(c, serveFlags...)
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		read := readSources(p.sources(c, *file))
		if err := read.err(); err != nil {
			return err
		}
		shown := read.shown()
		if *asJSON {
			return p.writeJSON(map[string]any{"settings": shown})
		}
		rows := [][]string{{"KEY", "VALUE", "FROM"}}
		for _, s := range shown {
			rows = append(rows, []string{s.Key, s.Value, s.from()})
		}
		return p.writeTable(rows)
	}
	return c
}

// shownSetting is a setting with its value, as --json shows it.
type shownSetting struct {
	Key   string `json:"key"`
	Value string `json:"value"` // *** for a secret
	describedPlace
	place place
}

func (s shownSetting) from() string {
	if s.place.name == "" {
		return fromDefault
	}
	return s.place.String()
}

// shown are all settings, then what was said of each connector.
func (r *reader) shown() []shownSetting {
	var list []shownSetting
	for _, s := range settings {
		list = append(list, show(s, s.key, r.given))
	}
	for _, d := range r.connectors {
		for _, o := range connectorOptions {
			if _, ok := d.given[o.key]; ok {
				list = append(list, show(o, "connectors."+d.ID+"."+o.key, d.given))
			}
		}
	}
	return list
}

// show gives the value that is in force.
func show[C any](o option[C], name string, all map[string]given) shownSetting {
	g, ok := all[o.key]
	if !ok {
		g = given{place{source: fromDefault}, o.byDef}
	}
	if o.secret && g.text != "" {
		g.text = "***"
	}
	return shownSetting{name, g.text, g.place.described(), g.place}
}

func (p *program) configExplainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain KEY",
		Short: "Say what a setting is, how it is written, and where its present value comes from",
		Example: `  signet config explain lifetimes.session
  signet config explain SIGNET_MASTER_KEY
  signet config explain connectors.trust`,
		Args: exactly("the key of a setting"),
	}
	file := configFlags(c, serveFlags...)
	asJSON := jsonFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		explained, err := explain(args[0], readSources(p.sources(c, *file)))
		if err != nil {
			return err
		}
		if *asJSON {
			return p.writeJSON(explained)
		}
		return p.writeExplained(explained)
	}
	return c
}

// explainedSetting is all that is to be said of a setting, as --json shows it.
type explainedSetting struct {
	Key          string         `json:"key"`
	About        string         `json:"about"`
	Unit         string         `json:"unit"`
	Default      string         `json:"default"`
	Example      string         `json:"example"`
	Secret       bool           `json:"secret"`
	Live         bool           `json:"live"` // a running server takes it over
	Variable     string         `json:"variable,omitempty"`
	FileVariable string         `json:"file_variable,omitempty"`
	Flag         string         `json:"flag,omitempty"`
	Now          []shownSetting `json:"now"`      // one, or one for each connector
	Mistakes     []string       `json:"mistakes"` // in its present value
}

// explain finds a setting by its key or by its variable. The settings need not be
// right: whoever asks may be about to mend them.
func explain(key string, read *reader) (explainedSetting, error) {
	if option, ok := strings.CutPrefix(key, "connectors."); ok {
		if o := optionOf(connectorOptions, option); o != nil {
			e := explainOption(*o, key)
			e.Live = true
			for _, d := range read.connectors {
				e.Now = append(e.Now, show(*o, "connectors."+d.ID+"."+o.key, d.given))
			}
			e.tellMistakes(read)
			return e, nil
		}
	}
	i := slices.IndexFunc(settings, func(s setting) bool {
		return s.key == key || s.variable() == key || s.secret && s.variable()+"_FILE" == key
	})
	if i < 0 {
		return explainedSetting{}, exit.New(
			exit.NotFound, fmt.Errorf("there is no setting %q%s", key, spelling.DidYouMean(key, explicable(key))), "list them with: signet config show",
		)
	}
	s := settings[i]
	e := explainOption(s, s.key)
	e.Variable = s.variable()
	if s.secret {
		e.FileVariable = s.variable() + "_FILE"
	}
	if slices.Contains(serveFlags, s.key) {
		e.Flag = "--" + flagName(s)
	}
	e.Now = []shownSetting{show(s, s.key, read.given)}
	e.tellMistakes(read)
	return e, nil
}

// explicable are the names that a setting may have been meant by.
func explicable(key string) []string {
	var names []string
	switch {
	case strings.HasPrefix(key, "connectors"):
		for _, o := range connectorOptions {
			names = append(names, "connectors."+o.key)
		}
	case strings.HasPrefix(key, "SIGNET_"):
		for _, s := range settings {
			names = append(names, s.variable())
		}
	default:
		names = keysOf(settings)
	}
	return names
}

func explainOption[C any](o option[C], key string) explainedSetting {
	return explainedSetting{
		Key: key, About: o.about, Unit: o.unit, Default: o.byDef, Example: o.example, Secret: o.secret, Live: o.live,
		Now: []shownSetting{}, Mistakes: []string{},
	}
}

func (e *explainedSetting) tellMistakes(read *reader) {
	for _, m := range read.wrong {
		if m.key == e.Key {
			e.Mistakes = append(e.Mistakes, m.String())
		}
	}
}

func (p *program) writeExplained(e explainedSetting) error {
	effect := "at the next start"
	if e.Live {
		effect = "at once"
	}
	rows := filled([][]string{
		{e.Key, e.About},
		{"  written as", e.Unit},
		{"  default", e.Default},
		{"  example", e.Example},
		{"  variable", e.Variable},
		{"  or in a file", e.FileVariable},
		{"  flag", e.Flag},
		{"  a change counts", effect},
	})
	for _, now := range e.Now {
		name := "  now"
		if len(e.Now) > 1 || now.Key != e.Key {
			name = "  now, " + strings.TrimPrefix(now.Key, "connectors.")
		}
		rows = append(rows, []string{name, orNone(now.Value) + " (" + now.from() + ")"})
	}
	for _, m := range e.Mistakes {
		rows = append(rows, []string{"  mistake", m})
	}
	return p.writeTable(rows)
}

func (p *program) configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the settings file, for editors",
		Long: `Print the JSON Schema (2020-12) of the settings file. An editor with a language server
for YAML completes and checks the file whose first line names it:

  # yaml-language-server: $schema=signet.schema.json`,
		Example: "  signet config schema > signet.schema.json",
		Args:    exactly(),
		RunE:    func(*cobra.Command, []string) error { return p.writeJSON(configSchema()) },
	}
}
