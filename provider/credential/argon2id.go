package credential

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Params are the costs of argon2id (RFC 9106).
type Params struct {
	Memory  uint32 // KiB
	Time    uint32 // passes over the memory
	Threads uint8
}

// maxParams are the highest costs that we accept. A stored hash with higher costs was
// tampered with or imported wrongly; it must not bring the service down.
var maxParams = Params{Memory: 256 << 10, Time: 16, Threads: 16}

// orDefault replaces zero values by the setting of OWASP (19 MiB, two passes), and limits
// all values to the range that argon2 and parseHash accept.
func (p Params) orDefault() Params {
	if p.Memory == 0 {
		p.Memory = 19 << 10
	}
	if p.Time == 0 {
		p.Time = 2
	}
	if p.Threads == 0 {
		p.Threads = 1
	}
	p.Threads = min(p.Threads, maxParams.Threads)
	p.Time = min(p.Time, maxParams.Time)
	p.Memory = min(max(p.Memory, 8*uint32(p.Threads)), maxParams.Memory)
	return p
}

func (p Params) withinLimits() bool {
	return p.Time >= 1 && p.Threads >= 1 && p.Memory >= 8*uint32(p.Threads) &&
		p.Memory <= maxParams.Memory && p.Time <= maxParams.Time && p.Threads <= maxParams.Threads
}

const (
	saltSize = 16
	sumSize  = 32
)

// argon2id is the signature of argon2.IDKey.
type argon2id func(password, salt []byte, time, memory uint32, threads uint8, size uint32) []byte

// hash is a password hash in the PHC string format:
//
//	$argon2id$v=19$m=19456,t=2,p=1$salt$sum
//
// m in KiB; salt and sum in base64 without padding.
type hash struct {
	Params
	salt, sum []byte
}

// String returns the hash in the PHC string format.
func (h hash) String() string {
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", h.Memory, h.Time, h.Threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.sum))
}

var errHash = errors.New("not an argon2id hash within the limits")

// parseHash reads a hash in the PHC string format, also one from another program.
// errHash: the hash is malformed, or its costs or sizes are outside the limits.
func parseHash(s string) (hash, error) {
	fields := strings.Split(s, "$")
	if len(fields) != 6 || fields[0] != "" || fields[1] != "argon2id" || fields[2] != "v=19" {
		return hash{}, errHash
	}
	params, err := parseParams(fields[3])
	if err != nil {
		return hash{}, err
	}
	h := hash{Params: params}
	if h.salt, err = base64.RawStdEncoding.Strict().DecodeString(fields[4]); err != nil {
		return hash{}, errHash
	}
	if h.sum, err = base64.RawStdEncoding.Strict().DecodeString(fields[5]); err != nil {
		return hash{}, errHash
	}
	if len(h.salt) < 8 || len(h.salt) > 64 || len(h.sum) < 16 || len(h.sum) > 64 {
		return hash{}, errHash
	}
	return h, nil
}

// parseParams reads m=…,t=…,p=…, in the order that the PHC format requires.
func parseParams(s string) (Params, error) {
	fields := strings.Split(s, ",")
	if len(fields) != 3 {
		return Params{}, errHash
	}
	var values [3]uint32
	for i, name := range []string{"m=", "t=", "p="} {
		digits, found := strings.CutPrefix(fields[i], name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !found || err != nil {
			return Params{}, errHash
		}
		values[i] = uint32(n)
	}
	if values[2] > uint32(maxParams.Threads) {
		return Params{}, errHash
	}
	p := Params{Memory: values[0], Time: values[1], Threads: uint8(values[2])}
	if !p.withinLimits() {
		return Params{}, errHash
	}
	return p, nil
}

// weakerThan reports whether guessing against the hash is cheaper than with these costs.
func (h hash) weakerThan(want Params) bool {
	return h.Memory < want.Memory || h.Time < want.Time || len(h.salt) < saltSize || len(h.sum) < sumSize
}

// randomHash returns a hash that no password matches. A comparison with it takes as long
// as with a real one.
func randomHash(p Params) hash {
	h := hash{Params: p, salt: make([]byte, saltSize), sum: make([]byte, sumSize)}
	rand.Read(h.salt)
	rand.Read(h.sum)
	return h
}
