package config

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// chart is the folder of the Helm chart.
const chart = "../../../deploy/chart/"

// setByChart lists the settings that the chart sets by variables.
var setByChart = []string{"listen", "data_dir"}

// A chart holds no secret, so its table lists the settings that templates must refuse.
type chartTable struct {
	Chart           []string `json:"chart"`           // settings that the chart sets
	Secret          []string `json:"secret"`          // settings that belong into a Secret
	ConnectorSecret []string `json:"connectorSecret"` // the same of a connector
	Live            []string `json:"live"`            // settings that need no restart
}

func tableOfChart() chartTable {
	table := chartTable{Chart: setByChart, Live: []string{"connectors"}}
	for _, s := range settings {
		if s.secret {
			table.Secret = append(table.Secret, s.key)
		}
		if s.live {
			table.Live = append(table.Live, s.key)
		}
	}
	for _, o := range connectorOptions {
		if o.secret {
			table.ConnectorSecret = append(table.ConnectorSecret, o.key)
		}
	}
	return table
}

// chartSchema returns the schema of the chart's values: that of its base, with the settings, the
// secrets and the secrets of connectors from the tables of this package.
func chartSchema(t *testing.T) map[string]any {
	t.Helper()
	content, err := os.ReadFile(chart + "values.base.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(content, &root); err != nil {
		t.Fatal(err)
	}
	table := tableOfChart()
	inFile := Schema()
	delete(inFile, "$schema")
	inFile["type"], inFile["title"] = "object", "signet.yaml"
	for _, key := range slices.Concat(table.Chart, table.Secret) { // a template refuses them with a message of its own
		at, path := inFile, strings.Split(key, ".")
		for _, name := range path[:len(path)-1] {
			at = at["properties"].(shape)[name].(shape)
		}
		at["properties"].(shape)[path[len(path)-1]] = shape{"description": "not here: the chart sets it, or it is a secret"}
	}
	connector := inFile["properties"].(shape)["connectors"].(shape)["items"].(shape)["properties"].(shape)
	for _, key := range table.ConnectorSecret {
		connector[key] = shape{"description": "not here: see connectorSecrets"}
	}
	reference := shape{"$ref": "#/definitions/secretReference"}
	secrets, ofConnector := shape{}, shape{}
	for _, key := range table.Secret {
		secrets[key] = reference
	}
	for id := range connectorsByVariable {
		secrets[id+".client_secret"] = reference
	}
	for _, key := range table.ConnectorSecret {
		ofConnector[key] = reference
	}
	properties := root["properties"].(map[string]any)
	properties["settings"] = inFile
	properties["secrets"] = shape{"type": "object", "additionalProperties": false, "properties": secrets}
	properties["connectorSecrets"] = shape{"type": "object", "additionalProperties": shape{
		"type": "object", "additionalProperties": false, "properties": ofConnector,
	}}
	return root
}

// The chart's schema and its table of settings are those of the code, so that a new setting
// cannot be forgotten; -update writes both.
func TestSettings_ChartKnowsEverySetting(t *testing.T) {
	for name, value := range map[string]any{"values.schema.json": chartSchema(t), "files/settings.json": tableOfChart()} {
		want, err := json.MarshalIndent(value, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		got, err := os.ReadFile(chart + name)
		if string(got) == string(want) && err == nil {
			continue
		}
		if !*update {
			t.Errorf("deploy/chart/%s is not current: go test ./cmd/signet/config -run ChartKnowsEverySetting -update", name)
			continue
		}
		if err := os.WriteFile(chart+name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Every value of the chart has a default in values.yaml and a type in the schema.
func TestSettings_ChartSchemaHasEveryValue(t *testing.T) {
	content, err := os.ReadFile(chart + "values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(content, &values); err != nil {
		t.Fatal(err)
	}
	properties := chartSchema(t)["properties"].(map[string]any)
	delete(properties, "global") // Helm's own
	if got, want := slices.Sorted(maps.Keys(values)), slices.Sorted(maps.Keys(properties)); !slices.Equal(got, want) {
		t.Errorf("values.yaml has %v, the schema %v", got, want)
	}
}

// Every variable that the chart names exists.
func TestSettings_ChartNamesOnlyVariablesThatExist(t *testing.T) {
	known := everyVariable(t)
	files, err := filepath.Glob(chart + "templates/*")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	seen := 0
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, variable := range regexp.MustCompile(`SIGNET_[A-Z0-9_]+\b`).FindAllString(string(content), -1) {
			seen++
			if !slices.Contains(known, variable) {
				t.Errorf("%s names %s, which is not a variable", name, variable)
			}
		}
	}
	if seen < 3 {
		t.Errorf("only %d variables were found", seen)
	}
}

// The chart and the program have one version.
func TestChart_HasTheVersion(t *testing.T) {
	version, err := os.ReadFile("../../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(chart + "Chart.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var described struct {
		Version    string `yaml:"version"`
		AppVersion string `yaml:"appVersion"`
	}
	if err := yaml.Unmarshal(content, &described); err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSpace(string(version)); described.Version != want || described.AppVersion != want {
		t.Errorf("Chart.yaml has version %s and appVersion %s, want %s", described.Version, described.AppVersion, want)
	}
}
