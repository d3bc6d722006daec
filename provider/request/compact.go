package request

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"sync"
)

// compacted is the first byte of a compressed payload. JSON never begins with it.
const compacted = 1

// Compact compresses JSON that is sealed into URLs and cookies, where size is limited: the
// base64 of a sealed message is a third longer than its content. If compression does not
// help, Compact returns the payload unchanged.
//
// Compression is safe here: a payload contains parameters of one client only, and only one
// browser sees its length.
func Compact(payload []byte) []byte {
	w := writers.Get().(*flate.Writer)
	defer writers.Put(w)
	out := bytes.NewBuffer(make([]byte, 0, len(payload)))
	out.WriteByte(compacted)
	w.Reset(out)
	if _, err := w.Write(payload); err != nil || w.Close() != nil || out.Len() >= len(payload) {
		return payload
	}
	return out.Bytes()
}

// maxExpanded is the largest payload, in bytes, that Expand returns.
const maxExpanded = 64 << 10

var errMalformed = errors.New("the payload is not well formed")

// Expand returns the payload that was given to Compact.
func Expand(payload []byte) ([]byte, error) {
	if len(payload) == 0 || payload[0] != compacted {
		return payload, nil
	}
	r := readers.Get().(io.Reader)
	defer readers.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(payload[1:]), dictionary); err != nil {
		return nil, errMalformed
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxExpanded+1))
	if err != nil || len(plain) > maxExpanded {
		return nil, errMalformed
	}
	return plain, nil
}

// readers are reused since each has a window of 32 KB. Reset forgets the payload before.
var readers = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

// writers are reused since a new one is expensive. Reset keeps the dictionary.
var writers = sync.Pool{New: func() any {
	w, err := flate.NewWriterDict(io.Discard, flate.DefaultCompression, dictionary)
	if err != nil {
		panic("request: " + err.Error()) // the level is a constant
	}
	return w
}}

// dictionary contains the text that most requests consist of, the most frequent last. A
// payload can only be read with the dictionary that it was made with.
var dictionary = []byte(`"select_account""consent""none""login""query""fragment"{"id_token":{"userinfo":{"essential":true}},"values":[` +
	`"p":"/account","d":"password","j":"/account/sessions"],"a":300,"h":"@gmail.com","b":"usr_","v":["urn:signet:1fa"],"w":"en"` +
	`http://localhost:3000/https://localhost/oauth2/callback/signin-oidc/login/api/auth/callback/signet"https://app.example.com/callback"` +
	`"r":["https://api.","q":["login"],"m":"","l":{"phone","address","groups","roles","profile","email","offline_access"],"g":"` +
	`{"i":"","k":"page","t":{"i":"","k":"cookies","t":{"i":"","k":"code","t":179,"c":"","u":"https://","s":"","n":"","o":["openid","profile","email"],"g":"`)
