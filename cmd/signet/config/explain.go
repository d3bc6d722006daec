package config

import (
	"fmt"
	"slices"
	"strings"

	"signet/cmd/signet/exit"
	"signet/provider/spelling"
)

// DescribedMistake is the JSON form of a Mistake.
type DescribedMistake struct {
	DescribedPlace
	Key     string `json:"key,omitempty"`
	Mistake string `json:"mistake"`
}

// DescribedPlace is the JSON form of a Place.
type DescribedPlace struct {
	Source   string `json:"source,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Variable string `json:"variable,omitempty"`
	Flag     string `json:"flag,omitempty"`
}

func (p Place) described() DescribedPlace {
	d := DescribedPlace{Source: p.Source, Line: p.Line}
	switch p.Source {
	case fromFile:
		d.File = p.Name
	case fromEnvironment:
		d.Variable = p.Name
	case fromFlag:
		d.Flag = p.Name
	}
	return d
}

// Described returns the JSON form of the mistakes; never nil.
func (e Mistakes) Described() []DescribedMistake {
	described := make([]DescribedMistake, len(e))
	for i, m := range e {
		described[i] = DescribedMistake{m.Place.described(), m.Key, m.Text}
	}
	return described
}

// ShownSetting is the JSON form of a setting with its value.
type ShownSetting struct {
	Key   string `json:"key"`
	Value string `json:"value"` // *** for a secret
	DescribedPlace
	place Place
}

// From returns the place of the value, for people: "default", or the text of the Place.
func (s ShownSetting) From() string {
	if s.place.Name == "" {
		return fromDefault
	}
	return s.place.String()
}

// ShownSettings returns all settings with their values. The options that are set of each
// connector follow.
func (r *Reading) ShownSettings() []ShownSetting {
	var list []ShownSetting
	for _, s := range settings {
		list = append(list, r.process.show(s, s.key))
	}
	for _, c := range r.connectors {
		for _, o := range connectorOptions {
			if c.has(o.key) {
				list = append(list, c.show(o, c.prefix+c.target.ID+"."+o.key))
			}
		}
	}
	return list
}

// show returns the effective value of an option. Secrets are masked.
func (v *values[T]) show(o option[T], name string) ShownSetting {
	g, ok := v.given[o.key]
	if !ok {
		g.Place = Place{Source: fromDefault}
		g.text, _ = v.resolvePaths(o, g.Place, o.byDef)
	}
	if o.secret && g.text != "" {
		g.text = "***"
	}
	return ShownSetting{name, g.text, g.Place.described(), g.Place}
}

// Explanation is the JSON form of everything that is known about a setting.
type Explanation struct {
	Key          string         `json:"key"`
	About        string         `json:"about"`
	Unit         string         `json:"unit"`
	Default      string         `json:"default"`
	Example      string         `json:"example"`
	Secret       bool           `json:"secret"`
	Live         bool           `json:"live"` // a running server applies a change
	Variable     string         `json:"variable,omitempty"`
	FileVariable string         `json:"file_variable,omitempty"`
	Flag         string         `json:"flag,omitempty"`
	Now          []ShownSetting `json:"now"`      // the present value, or one for each connector
	Mistakes     []string       `json:"mistakes"` // of the present value
}

// Explain explains the setting with that key or variable. The settings may have mistakes: the
// operator may be about to fix them. An unknown key is exit.NotFound.
func (r *Reading) Explain(key string) (Explanation, error) {
	if option, ok := strings.CutPrefix(key, "connectors."); ok {
		if o := optionOf(connectorOptions, option); o != nil {
			e := explainOption(*o, key)
			e.Live = true
			for _, c := range r.connectors {
				e.Now = append(e.Now, c.show(*o, c.prefix+c.target.ID+"."+o.key))
			}
			e.addMistakes(r.Mistakes)
			return e, nil
		}
	}
	i := slices.IndexFunc(settings, func(s setting) bool {
		return s.key == key || slices.Contains(s.variables(), key)
	})
	if i < 0 {
		return Explanation{}, exit.New(
			exit.NotFound, fmt.Errorf("there is no setting %q%s", key, spelling.DidYouMean(key, namesLike(key))), "list them with: signet config show",
		)
	}
	s := settings[i]
	e := explainOption(s, s.key)
	e.Variable = s.variable()
	if s.secret {
		e.FileVariable = s.variable() + "_FILE"
	}
	if s.flag {
		e.Flag = "--" + s.flagName()
	}
	e.Now = []ShownSetting{r.process.show(s, s.key)}
	e.addMistakes(r.Mistakes)
	return e, nil
}

// namesLike returns the names of settings that are of the same kind as key, for a suggestion.
func namesLike(key string) []string {
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

func explainOption[T any](o option[T], key string) Explanation {
	return Explanation{
		Key: key, About: o.about, Unit: o.unit, Default: o.byDef, Example: o.example, Secret: o.secret, Live: o.live,
		Now: []ShownSetting{}, Mistakes: []string{},
	}
}

func (e *Explanation) addMistakes(wrong Mistakes) {
	for _, m := range wrong {
		if m.Key == e.Key {
			e.Mistakes = append(e.Mistakes, m.String())
		}
	}
}
