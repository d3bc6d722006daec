package request_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"signet/provider/request"
)

func TestCompact_GivesBackWhatItWasGiven(t *testing.T) {
	var wait sync.WaitGroup
	for range 4 { // at the same time: the writers are shared
		wait.Go(func() {
			for _, text := range []string{
				"", "{}", `{"i":"","k":"code"}`, strings.Repeat(`{"s":"`, 500), strings.Repeat("\x00\xff", 3000), `{"s":"é` + strings.Repeat("state", 300) + `"}`,
			} {
				short := request.Compact([]byte(text))
				if len(short) > len(text) {
					t.Errorf("%.40q has %d bytes, shortened %d", text, len(text), len(short))
				}
				plain, err := request.Expand(short)
				if err != nil || string(plain) != text {
					t.Errorf("%.40q came back as %.40q, %v", text, plain, err)
				}
			}
		})
	}
	wait.Wait()
}

func TestExpand_RefusesWhatCompactDoesNotMake(t *testing.T) {
	bomb := request.Compact(bytes.Repeat([]byte("a"), 1<<20))
	for _, payload := range [][]byte{{1}, {1, 2, 3}, append([]byte{1}, "garbage"...), bomb} {
		if plain, err := request.Expand(payload); err == nil {
			t.Errorf("%.20x gives %d bytes", payload, len(plain))
		}
	}
}
