package request_test

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"strings"
	"sync"
	"testing"

	"signet/provider/request"
)

func TestExpand_ReversesCompact(t *testing.T) {
	var wait sync.WaitGroup
	for range 4 { // concurrently, since the writers and readers are shared
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

// A payload that refers to text before its own beginning must not get the text of an earlier payload.
func TestExpand_DoesNotReachAnEarlierPayload(t *testing.T) {
	earlier := []byte(strings.Repeat(rand.Text(), 1000))
	long := append(earlier, strings.Repeat("x", 20<<10)...)
	var out bytes.Buffer
	out.WriteByte(1)
	w, err := flate.NewWriterDict(&out, flate.BestCompression, long)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(earlier[:200])
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if plain, err := request.Expand(request.Compact(long)); err != nil || !bytes.Equal(plain, long) {
			t.Fatalf("%d bytes, %v", len(plain), err)
		}
		if plain, err := request.Expand(out.Bytes()); err == nil {
			t.Fatalf("expands to %q", plain)
		}
	}
}
