package interaction

import "testing"

// FuzzDecodeNote varies the content of the cookie of a waiting identity. A content that is accepted means
// the same after it was written again.
func FuzzDecodeNote(f *testing.F) {
	note := waitingNote{AttemptID: "a", At: 1772366400000, UserID: "usr_a", Vouched: "mail", Subject: "s", Label: "l", request: noteHash("r"), upstream: noteHash("c", "i"), address: noteHash("e")}
	f.Add(note.encode())
	f.Add((&waitingNote{At: -1}).encode())
	f.Add(note.encode()[:9])
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	if got, ok := decodeNote(note.encode()); !ok || got != note {
		f.Fatalf("%+v is read as %+v, %v", note, got, ok)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		n, ok := decodeNote(payload)
		if !ok {
			return
		}
		again := n.encode()
		if got, ok := decodeNote(again); !ok || got != n {
			t.Fatalf("%+v is read again as %+v, %v", n, got, ok)
		}
	})
}
