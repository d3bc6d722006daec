package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// The sums and their signature.
const (
	sumsFile      = "SHA256SUMS"
	signatureFile = sumsFile + ".sig"
	// signatureUse is in the signature, so that a signature for another use is refused.
	signatureUse = "signet-release"
)

// sums writes the sums of all other artefacts, and their signature if r.key names a key.
func (r *release) sums(ctx context.Context) error {
	files, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var list bytes.Buffer
	for _, f := range files { // ReadDir sorts them
		content, err := os.ReadFile(filepath.Join(r.out, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(content), f.Name())
	}
	if list.Len() == 0 {
		return errors.New("there is no artefact to sum: build others in the same run")
	}
	if err := r.create(sumsFile, func(w io.Writer) error {
		_, err := w.Write(list.Bytes())
		return err
	}); err != nil {
		return err
	}
	if r.key == "" {
		fmt.Fprintf(r.talk, "%s is not signed: name a key of ssh-keygen with -key or SIGNET_RELEASE_KEY\n", sumsFile)
		return nil
	}
	return r.sign(ctx, list.Bytes())
}

// sign writes a signature of ssh-keygen. The key may also be a public key whose private half
// is in an SSH agent.
func (r *release) sign(ctx context.Context, content []byte) error {
	c := exec.CommandContext(ctx, "ssh-keygen", "-q", "-Y", "sign", "-f", r.key, "-n", signatureUse)
	var signature, problem bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(content), &signature, &problem
	if err := c.Run(); err != nil {
		return fmt.Errorf("sign %s with the key %s: %w: %s", sumsFile, r.key, err, bytes.TrimSpace(problem.Bytes()))
	}
	if !bytes.HasPrefix(signature.Bytes(), []byte("-----BEGIN SSH SIGNATURE-----")) {
		return fmt.Errorf("sign %s with the key %s: ssh-keygen returned no signature", sumsFile, r.key)
	}
	return r.create(signatureFile, func(w io.Writer) error {
		_, err := w.Write(signature.Bytes())
		return err
	})
}
