package keys_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"signet/provider/keys"
)

func TestSeal_RoundTrip(t *testing.T) {
	h := open(t, "ES256")
	for _, payload := range [][]byte{nil, {0}, []byte("hello"), bytes.Repeat([]byte{255}, 4000)} {
		message, err := h.Seal("request", payload, noon.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := h.Unseal("request", message, noon); err != nil || !bytes.Equal(got, payload) {
			t.Errorf("got %q, %v; want %q", got, err, payload)
		}
		if size := keys.SealedSize(len(payload)); size != len(message) {
			t.Errorf("%d bytes give %d characters, foretold were %d", len(payload), len(message), size)
		}
		raw, err := base64.RawURLEncoding.DecodeString(message)
		if err != nil || len(payload) >= 5 && bytes.Contains(raw, payload) {
			t.Errorf("the payload shows (%v)", err)
		}
	}
}

func TestSeal_SamePayloadGivesDifferentMessages(t *testing.T) {
	h := open(t, "ES256")
	first, second := h.SealedMessage(t, "request"), h.SealedMessage(t, "request")
	if first[23:] == second[23:] || first == second { // behind version and kid
		t.Errorf("two messages are the same: %s", first)
	}
}

func TestUnseal_Expired(t *testing.T) {
	h := open(t, "ES256")
	message := h.SealedMessage(t, "request") // a minute
	if _, err := h.Unseal("request", message, noon.Add(time.Minute-time.Millisecond)); err != nil {
		t.Error(err)
	}
	got, err := h.Unseal("request", message, noon.Add(time.Minute))
	if !errors.Is(err, keys.ErrExpired) || string(got) != "payload of request" {
		t.Errorf("got %q, %v; want the payload and ErrExpired", got, err)
	}
	if got, err := h.Unseal("code", message, noon.Add(time.Minute)); !errors.Is(err, keys.ErrInvalid) || got != nil {
		t.Errorf("expired and of another purpose: %q, %v", got, err)
	}
}

func TestUnseal_AnyAlteredBitIsRefused(t *testing.T) {
	h := open(t, "ES256")
	raw, err := base64.RawURLEncoding.DecodeString(h.SealedMessage(t, "request"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			altered := bytes.Clone(raw)
			altered[i] ^= 1 << bit
			if got, err := h.Unseal("request", b64(altered), noon); !errors.Is(err, keys.ErrInvalid) || got != nil {
				t.Fatalf("bit %d of byte %d: %q, %v", bit, i, got, err)
			}
		}
	}
	for cut := range raw {
		if _, err := h.Unseal("request", b64(raw[:cut]), noon); !errors.Is(err, keys.ErrInvalid) {
			t.Fatalf("cut to %d bytes: %v", cut, err)
		}
	}
}

func TestUnseal_OtherPurposeIsRefused(t *testing.T) {
	h := open(t, "ES256")
	message := h.SealedMessage(t, "request")
	for _, purpose := range []string{"", "Request", "request ", "request\x00", "reques", "ticket", "rt+jwt"} {
		if _, err := h.Unseal(purpose, message, noon); !errors.Is(err, keys.ErrInvalid) {
			t.Errorf("purpose %q: %v", purpose, err)
		}
	}
}

func TestUnseal_MessageOfOtherInstanceIsRefused(t *testing.T) {
	h, other := open(t, "ES256"), open(t, "ES256")
	if _, err := h.Unseal("request", other.SealedMessage(t, "request"), noon); !errors.Is(err, keys.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
}

func TestUnseal_SizeIsCheckedFirst(t *testing.T) {
	h := open(t, "ES256")
	huge := strings.Repeat("A", 10<<20)
	if n := testing.AllocsPerRun(10, func() { h.Unseal("request", huge, noon) }); n > 10 {
		t.Errorf("%v allocations", n)
	}
	if _, err := h.Seal("request", make([]byte, 64<<10), noon); err == nil {
		t.Error("a message was made that would not be opened")
	}
}
