package main

import (
	"testing"

	"signet/cmd/signet/signettest"
)

func TestMain(m *testing.M) { signettest.Main(m, map[string]func(){"ceiling": ceiling}) }
