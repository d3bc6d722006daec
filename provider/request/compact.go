package request

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"sync"
)

// compacted begins a payload that Compact has shortened; JSON begins otherwise.
const compacted = 1

// Compact shortens JSON that travels sealed in addresses and cookies, where every
// character counts: base64 makes four of three, and a state that is base64 itself gets
// that back. It gives the payload itself where that is not longer.
//
// Compression is safe here: a payload is made of parameters of one client, and only that
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

// mostExpanded bounds what Expand makes of a payload.
const mostExpanded = 64 << 10

var errCompacted = errors.New("the payload is not well formed")

// Expand gives what Compact was given.
func Expand(payload []byte) ([]byte, error) {
	if len(payload) == 0 || payload[0] != compacted {
		return payload, nil
	}
	r := flate.NewReaderDict(bytes.NewReader(payload[1:]), words)
	plain, err := io.ReadAll(io.LimitReader(r, mostExpanded+1))
	if err != nil || len(plain) > mostExpanded {
		return nil, errCompacted
	}
	return plain, nil
}

// writers are dear to make. Reset keeps their dictionary.
var writers = sync.Pool{New: func() any {
	w, err := flate.NewWriterDict(io.Discard, flate.DefaultCompression, words)
	if err != nil {
		panic("request: " + err.Error()) // the level is a constant
	}
	return w
}}

// words are what most requests are made of, the most frequent ones last. Payloads that
// were made with other words cannot be read.
var words = []byte(`"select_account""consent""none""login""query""fragment"{"id_token":{"userinfo":{"essential":true}},"values":[` +
	`"p":"/account","d":"password","j":"/account/sessions"],"a":300,"h":"@gmail.com","b":"usr_","v":["urn:signet:1fa"],"w":"en"` +
	`http://localhost:3000/https://localhost/oauth2/callback/signin-oidc/login/api/auth/callback/signet"https://app.example.com/callback"` +
	`"r":["https://api.","q":["login"],"m":"","l":{"phone","address","groups","roles","profile","email","offline_access"],"g":"` +
	`{"i":"","k":"page","t":{"i":"","k":"cookies","t":{"i":"","k":"code","t":179,"c":"","u":"https://","s":"","n":"","o":["openid","profile","email"],"g":"`)
