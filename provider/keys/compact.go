package keys

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// typ is the kind of a token, as its header names it. Each kind has a name of its own,
// so that no token passes for one of another kind (RFC 8725, section 3.11).
type typ string

const (
	typAccess  typ = "at+jwt" // RFC 9068, section 2.1
	typID      typ = "JWT"
	typRefresh typ = "rt+jwt" // private: only we read it
)

// maxToken is the longest token in characters. It is checked before anything else is done
// with a token, and no token of ours exceeds it.
const maxToken = 8 << 10

// readyHeader is the encoded protected header of every token of a kind under a key.
// The verifiers look up the received bytes among the ready headers: alg, kid and typ
// are compared at once, a header with anything else in it (crit, jwk, jku, x5c) matches
// no key, and nothing in an unverified header is ever parsed.
func readyHeader(alg, kid string, kind typ) string {
	return base64.RawURLEncoding.EncodeToString(
		fmt.Appendf(nil, `{"alg":"%s","kid":"%s","typ":"%s"}`, alg, kid, kind))
}

// compose makes a token in JWS compact serialization (RFC 7515, section 7.1).
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

// parts of a token, still encoded.
type parts struct {
	header    string
	payload   string
	signature string
	input     string // what was signed: header and payload with the dot between
}

// split takes a token apart. False: it is too long or does not have exactly three parts.
func split(token string) (parts, bool) {
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

// decodeSegment decodes base64url and accepts one spelling only: no padding, no
// spare bits. The library skips line breaks, so they are looked for here.
func decodeSegment(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return raw, err == nil
}
