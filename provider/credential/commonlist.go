//go:build ignore

// Program commonlist writes common.txt: the common passwords of the npm package
// @zxcvbn-ts/language-common and the words within them, in lower case, sorted by bytes, one
// per line. The file NOTICE has the licence of the package. It needs npm:
//
//	go generate ./provider/credential
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"unicode"
)

const (
	source    = "@zxcvbn-ts/language-common@4.1.3"
	integrity = "g2bg4skmlJG9aJqC/nWziZzgYpSe/f3rKeGobrkdFiOrfZVFqqzUgC6BUQWuX54Sua9j0Jxxt+1bf4f/Mal1Kg==" // SHA-512
	member    = "package/src/passwords.json"
)

// ours are common passwords that the package lacks and that no rule derives from it: rows of
// keys, names of services, and phrases that contain the word password.
var ours = []string{
	"!@#$%^&*", "!@#$%^&*(", "0987654321", "11110000", "1314520520", "19841984", "19871987", "20002000", "20012001",
	"27182818", "31415926535", "52013140", "5201314520", "66668888", "aa12345678", "ab12345678",
	"1qaz1qaz", "zaq1zaq1", "lkjhgfdsa", "poiuytrewq", "qwertz123", "qwertzui", "qwertzuiop",
	"fortnite1", "instagram", "linkedin", "mysql123", "postgres1", "roblox123", "twitter1", "whatsapp",
	"adminpass", "changethis", "hasło123", "oldpassword", "p@ssword", "p@ssword1", "p@ssword123", "pa$$word", "pass@word1",
	"passphrase", "rootpass", "secretpassword", "superuser", "thepassword", "toor1234", "yourpassword",
	"accessdenied", "correcthorse", "correcthorsebatterystaple", "iloveyousomuch", "startfinish",
}

// shortest is the least length of an entry. The rules compare no shorter word.
const shortest = 4

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "commonlist:", err)
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
	var passwords []string
	if err := json.Unmarshal(text, &passwords); err != nil {
		return fmt.Errorf("read %s: %w", member, err)
	}
	var list []string
	for _, password := range append(passwords, ours...) {
		password = strings.ToLower(password)
		for _, entry := range []string{password, strings.TrimFunc(password, func(r rune) bool { return !unicode.IsLetter(r) })} {
			if len(entry) >= shortest {
				list = append(list, entry)
			}
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return os.WriteFile("common.txt", []byte(strings.Join(list, "\n")+"\n"), 0o644)
}
