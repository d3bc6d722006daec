package main

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSums_SignatureIsCheckedAsDocumented(t *testing.T) {
	folder := t.TempDir()
	key := filepath.Join(folder, "key")
	output(t, folder, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "signet", "-f", key)
	out := filepath.Join(folder, "out")
	write(t, out, "signet-0.1.0.tar.gz", "program")
	write(t, out, "NOTICES", "terms")
	r := &release{out: out, key: key, talk: testWriter{t}}
	if err := r.sums(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, out, "allowed_signers", "signet "+string(read(t, key+".pub")))
	check := func(script string) error {
		c := exec.CommandContext(t.Context(), "sh", "-ec", script)
		c.Dir = out
		text, err := c.CombinedOutput()
		t.Logf("%s", text)
		return err
	}
	documented := commandsOf(t, "sums")
	if len(documented) != 2 {
		t.Fatalf("docs/install.md documents %q, want the signature and the sums", documented)
	}
	verify, sums := documented[0], documented[1]
	if err := errors.Join(check(verify), check(sums)); err != nil {
		t.Fatal(err)
	}
	if check(strings.Replace(verify, "signet-release", "file", 1)) == nil {
		t.Error("the signature is valid for another use")
	}
	write(t, out, "signet-0.1.0.tar.gz", "Program")
	if check(sums) == nil {
		t.Error("a changed artefact was accepted")
	}
	list := read(t, filepath.Join(out, sumsFile))
	list[0] ^= 1
	write(t, out, sumsFile, string(list))
	if check(verify) == nil {
		t.Error("a changed list was accepted")
	}

	for name, key := range map[string]string{"missing": filepath.Join(folder, "none"), "not a key": filepath.Join(out, "NOTICES")} {
		r := &release{out: t.TempDir(), key: key, talk: testWriter{t}}
		write(t, r.out, "a", "a")
		if err := r.sums(t.Context()); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s key: got %v", name, err)
		}
	}
	unsigned := &release{out: t.TempDir(), talk: &bytes.Buffer{}}
	write(t, unsigned.out, "a", "a")
	if err := unsigned.sums(t.Context()); err != nil || !strings.Contains(unsigned.talk.(*bytes.Buffer).String(), "is not signed") {
		t.Errorf("without a key: got %v, %q", err, unsigned.talk)
	}
	if err := (&release{out: t.TempDir(), talk: testWriter{t}}).sums(t.Context()); err == nil {
		t.Error("sums of nothing were written")
	}
}

// commandsOf returns the commands of a block of docs/install.md.
func commandsOf(t *testing.T, block string) []string {
	t.Helper()
	_, text, found := strings.Cut(string(read(t, "../../docs/install.md")), "<!-- run: "+block+" -->\n```console\n")
	if !found {
		t.Fatalf("docs/install.md has no block %s", block)
	}
	text, _, _ = strings.Cut(text, "\n```")
	var commands []string
	for line := range strings.Lines(text) {
		if c, ok := strings.CutPrefix(strings.TrimSpace(line), "$ "); ok {
			commands = append(commands, c)
		}
	}
	return commands
}
