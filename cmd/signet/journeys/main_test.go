package journeys_test

import (
	"testing"

	"signet/cmd/signet/signettest"
)

func TestMain(m *testing.M) { signettest.Main(m, nil) }
