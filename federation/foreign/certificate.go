package foreign

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
)

// maxCertificates is the largest length of a key's certificate chain.
const maxCertificates = 10

// checkCertificates compares a key with its certificates (RFC 7517, sections 4.6 to 4.9). It
// does not verify the certificates and does not fetch x5u. But a program that uses them must
// not get another key.
func checkCertificates(members map[string]any, text map[string]string, public crypto.PublicKey) error {
	if _, err := url.Parse(text["x5u"]); err != nil {
		return errors.New("has an x5u that is not a URL")
	}
	chain, err := readChain(members)
	if err != nil {
		return err
	}
	if len(chain) > 0 {
		if own, ok := public.(interface{ Equal(crypto.PublicKey) bool }); !ok || !own.Equal(chain[0].PublicKey) {
			return errors.New("has an x5c that begins with the certificate of another key")
		}
	}
	for name, sum := range map[string]func([]byte) []byte{
		"x5t":      func(raw []byte) []byte { s := sha1.Sum(raw); return s[:] },
		"x5t#S256": func(raw []byte) []byte { s := sha256.Sum256(raw); return s[:] },
	} {
		if _, found := text[name]; !found {
			continue
		}
		got, err := decodeMember(text, name)
		if err != nil {
			return err
		}
		if digits, err := hex.DecodeString(string(got)); err == nil && len(digits) == len(sum(nil)) {
			got = digits // Auth0 and others encode the digest as hexadecimal text
		}
		if len(got) != len(sum(nil)) || len(chain) > 0 && !bytes.Equal(got, sum(chain[0].Raw)) {
			return errors.New("has an " + name + " that is not the thumbprint of its certificate")
		}
	}
	return nil
}

func readChain(members map[string]any) ([]*x509.Certificate, error) {
	value, found := members["x5c"]
	if !found {
		return nil, nil
	}
	invalid := errors.New("has an x5c that is not a list of certificates in base64")
	list, ok := value.([]any)
	if !ok || len(list) == 0 || len(list) > maxCertificates {
		return nil, invalid
	}
	var chain []*x509.Certificate
	for _, item := range list {
		encoded, _ := item.(string)
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, invalid
		}
		certificate, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, invalid
		}
		chain = append(chain, certificate)
	}
	return chain, nil
}
