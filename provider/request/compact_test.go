package request_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"signet/provider/request"
)

func TestExpand_ReversesCompact(t *testing.T) {
	var wait sync.WaitGroup
	for range 4 { // concurrently, since the writers are shared
		wait.Go(func() {
			for _, text := range []string{
				"", "{}", `{"i":"","k":"code"}`, strings.Repeat(`{"s":"`, 500), strings.Repeat("\x00\xff", 3000), `{"s":"é` + strings.Repeat("state", 300) + `"}`,
			} {
				short := request.Compact([]byte(text))
				if len(short) > len(text) {
					t.Errorf("%.40q: %d bytes compacted to %d", text, len(text), len(short))
				}
				plain, err := request.Expand(short)
				if err != nil || string(plain) != text {
					t.Errorf("%.40q expands to %.40q, %v", text, plain, err)
				}
			}
		})
	}
	wait.Wait()
}

func TestExpand_RefusesMalformedPayload(t *testing.T) {
	bomb := request.Compact(bytes.Repeat([]byte("a"), 1<<20))
	for _, payload := range [][]byte{{1}, {1, 2, 3}, append([]byte{1}, "garbage"...), bomb} {
		if plain, err := request.Expand(payload); err == nil {
			t.Errorf("%.20x expands to %d bytes, want an error", payload, len(plain))
		}
	}
}
