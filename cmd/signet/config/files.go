package config

import (
	"crypto/sha256"
	"os"
)

// Files maps the name of each file to the SHA-256 of its content when it was read, or to
// zeros if it could not be read.
type Files map[string][sha256.Size]byte

// Read reads a file like os.ReadFile, and records its hash.
func (f Files) Read(name string) ([]byte, error) {
	content, err := os.ReadFile(name)
	f[name] = [sha256.Size]byte{}
	if err == nil {
		f[name] = sha256.Sum256(content)
	}
	return content, err
}
