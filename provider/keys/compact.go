package keys

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// typ is the typ header of a token. Each kind of token has its own value, so that a token
// is never accepted as another kind (RFC 8725, section 3.11).
type typ string

const (
	typAccess  typ = "at+jwt" // RFC 9068, section 2.1
	typID      typ = "JWT"
	typRefresh typ = "rt+jwt" // private use: only this issuer reads it
)

// maxToken is the length of the longest token in characters. Verifiers check it first,
// and compose makes no longer token.
const maxToken = 8 << 10

// readyHeader returns the encoded protected header of all tokens of one kind under one key.
//
// Verifiers look up the received header bytes among the ready headers. This compares alg,
// kid and typ at once. A header with any other member (crit, jwk, jku, x5c) matches no
// key, and no unverified header is ever parsed.
func readyHeader(alg, kid string, kind typ) string {
	return base64.RawURLEncoding.EncodeToString(
		fmt.Appendf(nil, `{"alg":"%s","kid":"%s","typ":"%s"}`, alg, kid, kind))
}

// compose signs a token and writes it in JWS compact serialization (RFC 7515, section 7.1).
func compose(header string, payload []byte, signatureSize int, sign func(input []byte) ([]byte, error)) (string, error) {
	encoding := base64.RawURLEncoding
	size := len(header) + 1 + encoding.EncodedLen(len(payload)) + 1 + encoding.EncodedLen(signatureSize)
	if size > maxToken {
		return "", fmt.Errorf("the token would have %d characters, more than %d", size, maxToken)
	}
	token := make([]byte, 0, size)
	token = append(token, header...)
	token = append(token, '.')
	token = encoding.AppendEncode(token, payload)
	signature, err := sign(token)
	if err != nil {
		return "", err
	}
	token = append(token, '.')
	return string(encoding.AppendEncode(token, signature)), nil
}

// parts are the segments of a token, still encoded.
type parts struct {
	header    string
	payload   string
	signature string
	input     string // signing input: header, dot and payload
}

// split returns the parts of a token. ok is false if the token is too long or does not
// have exactly three parts.
func split(token string) (p parts, ok bool) {
	if len(token) > maxToken {
		return parts{}, false
	}
	first := strings.IndexByte(token, '.')
	last := strings.LastIndexByte(token, '.')
	if first < 0 || first == last || strings.IndexByte(token[first+1:last], '.') >= 0 {
		return parts{}, false
	}
	return parts{
		header:    token[:first],
		payload:   token[first+1 : last],
		signature: token[last+1:],
		input:     token[:last],
	}, true
}

// decodeSegment decodes base64url. It accepts only the canonical encoding: no padding, no
// spare bits, no line breaks. The library skips line breaks, so they are rejected here.
func decodeSegment(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return raw, err == nil
}
