package program

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
)

// deployed returns a file of the folder deploy.
func deployed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// unitOptions returns the values of each option of a unit, in their order.
func unitOptions(unit string) map[string][]string {
	options := map[string][]string{}
	for line := range strings.Lines(unit) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(name, "#") {
			options[name] = append(options[name], value)
		}
	}
	return options
}

// checkSettings runs config check with the variables and the content of a settings file.
func checkSettings(t *testing.T, variables []string, file string) (code int, talk string) {
	t.Helper()
	folder := t.TempDir()
	name := filepath.Join(folder, "signet.yaml")
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(file, "/var/lib/signet", filepath.Join(folder, "data"))), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	code = Run(t.Context(), &cli.Program{
		Env: cli.ParseEnvironment(variables), Stdin: strings.NewReader(""), Stdout: &said, Stderr: &said, Now: time.Now,
	}, []string{"config", "check", "--config", name})
	return code, said.String()
}

// TestUnit_NamesWhatExists compares the unit of systemd with the program: the command and its
// flags, the variables, the exit codes and the paths.
func TestUnit_NamesWhatExists(t *testing.T) {
	unit := unitOptions(deployed(t, "systemd/signet.service"))
	only := func(option string) string {
		t.Helper()
		if len(unit[option]) != 1 {
			t.Fatalf("%s is set %d times", option, len(unit[option]))
		}
		return unit[option][0]
	}
	call := strings.Fields(only("ExecStart"))
	p := &program{&cli.Program{Env: map[string]string{}}}
	command, rest, err := p.rootCommand().Find(call[1:])
	if err != nil || command.CommandPath() != "signet serve" {
		t.Fatalf("ExecStart runs %v, %v", command.CommandPath(), err)
	}
	if err := command.ParseFlags(rest); err != nil {
		t.Errorf("ExecStart: %v", err)
	}
	if file, err := command.Flags().GetString("config"); err != nil || file != config.SystemFile {
		t.Errorf("the unit reads %s, the commands of an operator read %s", file, config.SystemFile)
	}
	variables := append([]string{"SIGNET_ISSUER=https://id.example.com"}, unit["Environment"]...)
	if code, talk := checkSettings(t, variables, ""); code != exit.OK {
		t.Errorf("the variables of the unit: exit code %d: %s", code, talk)
	}
	if got, want := only("RestartPreventExitStatus"), fmt.Sprint(exit.Config); got != want {
		t.Errorf("no restart after %s, want %s", got, want)
	}
	if seconds, err := time.ParseDuration(only("TimeoutStopSec") + "s"); err != nil || seconds < 15*time.Second {
		t.Errorf("systemd kills the process after %s, but requests in progress have 10 s", seconds)
	}
	home := "/var/lib/" + only("StateDirectory")
	for name, want := range map[string]string{
		"systemd/signet.sysusers": "u " + only("User") + " - ",
		"systemd/signet.tmpfiles": "d " + home + " " + only("StateDirectoryMode") + " " + only("User") + " " + only("Group"),
		"debian/signet.yaml":      "\ndata_dir: " + home + "\n",
		"debian/postinst":         home,
		"debian/postrm":           home,
	} {
		if !strings.Contains(deployed(t, name), want) {
			t.Errorf("%s does not contain %q, like the unit", name, want)
		}
	}
}

// TestPackagedSettings_AreValid checks the settings file of the package: once with the issuer,
// and once with everything that it shows in comments.
func TestPackagedSettings_AreValid(t *testing.T) {
	file := deployed(t, "debian/signet.yaml")
	if code, talk := checkSettings(t, nil, file); code != exit.Config || !strings.Contains(talk, "issuer") {
		t.Errorf("without an issuer: exit code %d: %s", code, talk)
	}
	if code, talk := checkSettings(t, nil, strings.Replace(file, "#issuer:", "issuer:", 1)); code != exit.OK {
		t.Errorf("with an issuer: exit code %d: %s", code, talk)
	}
	shown := regexp.MustCompile(`(?m)^#((?: {2})?[a-z_]+:)`)
	if n := len(shown.FindAllString(file, -1)); n < 6 {
		t.Errorf("the file shows %d settings", n)
	}
	name := filepath.Join(t.TempDir(), "signet.yaml")
	if err := os.WriteFile(name, []byte(shown.ReplaceAllString(file, "$1")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := config.Read(config.Sources{File: name}).Err(); err != nil {
		t.Error(err)
	}
}

// TestCompose_NamesOnlySettings passes every variable of Signet in the compose file to the
// program, which refuses the names of settings that do not exist.
func TestCompose_NamesOnlySettings(t *testing.T) {
	file := deployed(t, "compose/compose.yaml")
	var variables []string
	for _, found := range regexp.MustCompile(`(?m)^ {4}(SIGNET_[A-Z_]+): `).FindAllStringSubmatch(file, -1) {
		variables = append(variables, found[1]+"=x")
	}
	if len(variables) < 5 {
		t.Fatalf("the file has %d variables", len(variables))
	}
	for _, variable := range append(variables, "SIGNET_LISTENER=x") {
		name, _, _ := strings.Cut(variable, "=")
		_, talk := checkSettings(t, []string{variable}, "")
		if unknown := strings.Contains(talk, name+": is not a setting"); unknown != (name == "SIGNET_LISTENER") {
			t.Errorf("%s is unknown: %t\n%s", name, unknown, talk)
		}
	}
}
