package config

import (
	"crypto/sha256"
	"os"
)

// Files are files by name, and what they held when they were read: its SHA-256, or
// zeros where they could not be read.
type Files map[string][sha256.Size]byte

// Read is os.ReadFile, and remembers.
func (f Files) Read(name string) ([]byte, error) {
	content, err := os.ReadFile(name)
	f[name] = [sha256.Size]byte{}
	if err == nil {
		f[name] = sha256.Sum256(content)
	}
	return content, err
}
