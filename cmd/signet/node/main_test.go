package node_test

import (
	"testing"

	"signet/cmd/signet/signettest"
)

func TestMain(m *testing.M) {
	signettest.AtOnce(6)
	signettest.Main(m, nil)
}
