//go:build cgo && pkcs11

package pkcs11

import (
	"path/filepath"
	"testing"

	"github.com/miekg/pkcs11"
)

// SoftHSM returns the path of the SoftHSM module on Debian.
func SoftHSM() string {
	found, err := filepath.Glob("/usr/lib/softhsm/libsofthsm2.so")
	if err != nil || len(found) != 1 {
		panic("there is no SoftHSM: apt-get install softhsm2")
	}
	return found[0]
}

// Attribute reads an attribute of a private key from the token.
func (t *Token) Attribute(uri string, name uint) (value []byte, err error) {
	id, err := t.idOf(uri)
	if err != nil {
		return nil, err
	}
	err = t.with(func(_ *connection, s pkcs11.SessionHandle) error {
		found, err := t.objects(s, pkcs11.CKO_PRIVATE_KEY, id)
		if err != nil || len(found) != 1 {
			return errNoSuchKey
		}
		value, err = t.attribute(s, found[0], name)
		return err
	})
	return value, err
}

// Objects counts the objects with a URI, or all private keys of the token if uri is "".
func (t *Token) Objects(tb testing.TB, uri string) int {
	tb.Helper()
	sought := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY)}
	if uri != "" {
		id, err := t.idOf(uri)
		if err != nil {
			tb.Fatal(err)
		}
		sought = []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, id)}
	}
	n := 0
	err := t.with(func(_ *connection, s pkcs11.SessionHandle) error {
		if err := t.module.FindObjectsInit(s, sought); err != nil {
			return err
		}
		found, _, err := t.module.FindObjects(s, 1000)
		n = len(found)
		_ = t.module.FindObjectsFinal(s)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// Exchange replaces a key with another one that has the same id.
func (t *Token) Exchange(tb testing.TB, uri, alg string) {
	tb.Helper()
	id, err := t.idOf(uri)
	if err == nil {
		err = t.Destroy(uri)
	}
	if err == nil {
		_, err = t.generate(alg, id)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

func (t *Token) CloseSessions(tb testing.TB) {
	if err := t.module.CloseAllSessions(t.current.slot); err != nil {
		tb.Fatal(err)
	}
}

func (t *Token) SignOut(tb testing.TB) {
	if err := t.module.Logout(t.current.anchor); err != nil {
		tb.Fatal(err)
	}
}

func (t *Token) Restart(tb testing.TB) {
	if err := t.module.Finalize(); err != nil {
		tb.Fatal(err)
	}
}

// ChangePIN changes the PIN of a token that is not open.
func (t *Token) ChangePIN(tb testing.TB, from, to string) {
	tb.Helper()
	slot, _, err := t.find()
	if err != nil {
		tb.Fatal(err)
	}
	s, err := t.module.OpenSession(slot, sessionFlags)
	if err != nil {
		tb.Fatal(err)
	}
	defer t.module.CloseSession(s)
	if err := t.module.SetPIN(s, from, to); err != nil {
		tb.Fatal(err)
	}
}
