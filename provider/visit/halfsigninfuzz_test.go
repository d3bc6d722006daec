package visit

import (
	"bytes"
	"reflect"
	"testing"

	"signet/storage"
)

// FuzzDecodeHalf varies the content of the cookie of a half sign-in. A content that is accepted is one
// that this program writes.
func FuzzDecodeHalf(f *testing.F) {
	for _, s := range []HalfSignIn{
		{UserID: "usr_a", NotBefore: 1772366400000, Keep: true, request: requestHash("a")},
		{UserID: "usr_a", Through: "crd_a"},
		{UserID: "usr_a", Through: "00ff", Asserted: &storage.AssertedFreshness{AuthTime: -1, Reauthenticated: true}},
	} {
		payload, err := s.encode()
		if err != nil {
			f.Fatal(err)
		}
		if got, ok := decodeHalf(payload); !ok || !reflect.DeepEqual(got, s) {
			f.Fatalf("%+v is read as %+v, %v", s, got, ok)
		}
		f.Add(payload)
		f.Add(payload[:len(payload)-1])
		f.Add(append(payload, 0x80))
	}
	f.Add([]byte{0xff, 0xff})
	f.Add([]byte("Z\x020000000000000A000")) // the key of an identity and the ID of a passkey at once
	f.Fuzz(func(t *testing.T, payload []byte) {
		s, ok := decodeHalf(payload)
		if !ok {
			return
		}
		if s.UserID == "" {
			t.Fatalf("a half sign-in of nobody: %+v", s)
		}
		if again, err := s.encode(); err != nil || !bytes.Equal(again, payload) {
			t.Fatalf("%x is accepted, but %+v is written as %x, %v", payload, s, again, err)
		}
	})
}
