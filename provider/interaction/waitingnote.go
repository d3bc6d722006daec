package interaction

import (
	"crypto/sha256"
	"encoding/binary"

	"signet/storage"
)

// waitingNote is what the browser carries of an identity that waits. Its cookie is sent
// with each request, so it holds only what cannot be found here: a subject may have 255
// bytes, which leaves no room for an address of 254. Of values that are at hand when the
// note is read it has hashes.
type waitingNote struct {
	AttemptID string
	At        storage.Millis // when it came
	UserID    string         // of the account that has the address
	Vouched   storage.Voucher
	Subject   string
	Label     string // how people know it at the upstream; "" where there is no room

	request  string // of its id
	upstream string // of the connector's id and the issuer
	address  string // in its canonical form
}

// noteHash is 96 bits of a hash. Who could choose the values cannot choose the note.
func noteHash(values ...string) string {
	h := sha256.New()
	for _, value := range values {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(value)))) // never fails
		_, _ = h.Write([]byte(value))
	}
	return string(h.Sum(nil)[:12])
}

func (n *waitingNote) texts() []*string {
	return []*string{&n.AttemptID, &n.UserID, (*string)(&n.Vouched), &n.Subject, &n.Label, &n.request, &n.upstream, &n.address}
}

// encode writes the time and then each text after its length.
func (n *waitingNote) encode() []byte {
	out := binary.AppendVarint(nil, int64(n.At))
	for _, text := range n.texts() {
		out = append(binary.AppendUvarint(out, uint64(len(*text))), *text...)
	}
	return out
}

// readNote reads what encode wrote, and nothing else.
func readNote(payload []byte) (n waitingNote, ok bool) {
	at, size := binary.Varint(payload)
	if size <= 0 {
		return n, false
	}
	n.At, payload = storage.Millis(at), payload[size:]
	for _, text := range n.texts() {
		length, size := binary.Uvarint(payload)
		if size <= 0 || length > uint64(len(payload)-size) {
			return n, false
		}
		*text, payload = string(payload[size:size+int(length)]), payload[size+int(length):]
	}
	return n, len(payload) == 0
}
