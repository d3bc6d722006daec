package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"signet/storage"
)

// Buckets is how many different answers Bucket has. It bounds the rows that
// strangers can cause by typing names.
const Buckets = 1 << 18

// Bucket gives the bucket in which attempts under a typed name are counted. It is
// a keyed hash (HMAC-SHA256): without the active internal secret nobody can
// compute which two names share a bucket. All nodes give the same answer.
//
// When the internal line rotates, all names move to other buckets and counting
// begins anew: one more series of guesses in a rotation period, and whatever was
// learned about shared buckets is worth nothing any more. ErrNoKey.
func (r *Ring) Bucket(typed string) (string, error) {
	k := r.inUse.Load().secret
	if k == nil {
		return "", NoKey(storage.InternalLine)
	}
	return BucketUnder(k.bucketKey, typed), nil
}

// BucketUnder is Bucket under a given key.
func BucketUnder(key []byte, typed string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(typed))
	return strconv.Itoa(int(binary.BigEndian.Uint32(mac.Sum(nil)) % Buckets))
}
