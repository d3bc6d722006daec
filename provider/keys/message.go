package keys

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"signet/provider/keys/vault"
	"signet/storage"
)

// A sealed message is base64url without padding of
//
//	version 1 ‖ id of the secret, 16 bytes ‖ box of (expiry, 8 bytes of Unix ms ‖ payload)
//
// The key of the box is derived for the purpose. Version, id and purpose are the
// associated data of the box.
const (
	messageVersion    = 1
	messageHeaderSize = 1 + vault.SecretIDSize
	maxMessage        = 64 << 10 // characters: longer than any URL, cookie or form field that carries a message
)

// SealedSize returns the length in characters of a sealed message with a payload of the
// given number of bytes.
func SealedSize(payload int) int {
	return base64.RawURLEncoding.EncodedLen(messageHeaderSize + 8 + payload + vault.BoxOverhead)
}

// Seal encrypts and authenticates a payload. Only a ring with the same internal line can
// open the message, and only for the same purpose. The message is base64url without
// padding; it has 87 characters more than the encoded payload. ErrNoKey.
func (r *Ring) Seal(purpose string, payload []byte, expires time.Time) (string, error) {
	k := r.inUse.Load().secret
	if k == nil {
		return "", fmt.Errorf("seal %s: %w", purpose, NoKey(storage.InternalLine))
	}
	header := append(append(make([]byte, 0, messageHeaderSize), messageVersion), k.ID...)
	plain := make([]byte, 0, 8+len(payload))
	plain = binary.BigEndian.AppendUint64(plain, uint64(expires.UnixMilli()))
	plain = append(plain, payload...)

	if SealedSize(len(payload)) > maxMessage {
		return "", fmt.Errorf("seal %s: a payload of %d bytes is too long", purpose, len(payload))
	}
	message := make([]byte, 0, messageHeaderSize+len(plain)+vault.BoxOverhead)
	message, err := vault.SealBox(append(message, header...), k.Value, purposeInfo(purpose), plain, append(header, purpose...))
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", purpose, err)
	}
	return base64.RawURLEncoding.EncodeToString(message), nil
}

// Unseal returns the payload of a sealed message.
//
// ErrInvalid; ErrExpired: the payload is returned too, for callers that tell an expired
// message from an invalid one.
func (r *Ring) Unseal(purpose, message string, at time.Time) ([]byte, error) {
	plain, err := r.unseal(purpose, message)
	if err != nil || len(plain) < 8 {
		return nil, fmt.Errorf("unseal %s: %w", purpose, ErrInvalid)
	}
	payload := plain[8:]
	if expires := int64(binary.BigEndian.Uint64(plain)); at.UnixMilli() >= expires {
		return payload, fmt.Errorf("unseal %s: %w", purpose, ErrExpired)
	}
	return payload, nil
}

func (r *Ring) unseal(purpose, message string) ([]byte, error) {
	if len(message) > maxMessage {
		return nil, ErrInvalid
	}
	raw, ok := decodeSegment(message)
	if !ok || len(raw) < messageHeaderSize || raw[0] != messageVersion {
		return nil, ErrInvalid
	}
	header, box := raw[:messageHeaderSize:messageHeaderSize], raw[messageHeaderSize:]
	_, k := lookUp(r, func(s *keySet) *secret { return s.secrets[string(header[1:])] })
	if k == nil {
		return nil, ErrInvalid
	}
	return vault.OpenBox(k.Value, purposeInfo(purpose), box, append(header, purpose...))
}
