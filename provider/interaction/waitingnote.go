package interaction

import (
	"crypto/sha256"
	"encoding/binary"

	"signet/storage"
)

// waitingNote is the content of the cookie of a waiting identity. The browser sends the
// cookie with each request, so the note must be small: a subject may have 255 bytes, which
// leaves no room for an address of 254. For values that are known when the note is read, it
// has only hashes.
type waitingNote struct {
	AttemptID string
	At        storage.Millis // time of the arrival
	UserID    string         // user with the address
	Vouched   storage.Voucher
	Subject   string
	Label     string // see labelOf; "" if there is no room

	request  string // hash of the request's id
	upstream string // hash of the connector's id and the issuer
	address  string // hash of the address in its canonical form
}

// noteHash returns 96 bits of a hash. That is enough: the note is sealed, so an attacker
// cannot put a hash of their choice into it.
func noteHash(values ...string) string {
	h := sha256.New()
	for _, value := range values {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(value)))) // never fails
		_, _ = h.Write([]byte(value))
	}
	return string(h.Sum(nil)[:12])
}

func (n *waitingNote) fields() []*string {
	return []*string{&n.AttemptID, &n.UserID, (*string)(&n.Vouched), &n.Subject, &n.Label, &n.request, &n.upstream, &n.address}
}

// encode writes the time, and then each field after its length.
func (n *waitingNote) encode() []byte {
	out := binary.AppendVarint(nil, int64(n.At))
	for _, text := range n.fields() {
		out = append(binary.AppendUvarint(out, uint64(len(*text))), *text...)
	}
	return out
}

// decodeNote reads the output of encode; false for anything else.
func decodeNote(payload []byte) (n waitingNote, ok bool) {
	at, size := binary.Varint(payload)
	if size <= 0 {
		return n, false
	}
	n.At, payload = storage.Millis(at), payload[size:]
	for _, text := range n.fields() {
		length, size := binary.Uvarint(payload)
		if size <= 0 || length > uint64(len(payload)-size) {
			return n, false
		}
		*text, payload = string(payload[size:size+int(length)]), payload[size+int(length):]
	}
	return n, len(payload) == 0
}
