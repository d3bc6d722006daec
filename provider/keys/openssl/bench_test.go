//go:build cgo && linux && (amd64 || arm64)

package openssl_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"syscall"
	"testing"

	"signet/provider/keys/openssl"
)

// BenchmarkSign compares crypto/rsa with the library, with and without the verification of
// the signature, one after the other and on all processors. cpu-µs/op is the figure to compare
// if the machine has other work.
func BenchmarkSign(b *testing.B) {
	digest := sha256.Sum256(make([]byte, 700))
	signer := system(b).Signer(pairs()[0])
	for alg, opts := range schemes {
		scheme := openssl.Scheme(opts)
		for _, way := range []struct {
			name string
			sign func() error
		}{
			{"Go", func() error { _, err := pairs()[0].Sign(rand.Reader, digest[:], opts); return err }},
			{"OpenSSL", func() error { _, err := signer.SignUnverified(digest[:], scheme); return err }},
			{"OpenSSLVerified", func() error { _, err := signer.Sign(rand.Reader, digest[:], opts); return err }},
		} {
			b.Run(alg+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				defer cpu(b)()
				for b.Loop() {
					if err := way.sign(); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(alg+"/"+way.name+"/parallel", func(b *testing.B) {
				defer cpu(b)()
				b.RunParallel(func(next *testing.PB) {
					for next.Next() {
						if err := way.sign(); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
	signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("RS256/GoVerifies", func(b *testing.B) {
		defer cpu(b)()
		for b.Loop() {
			if err := rsa.VerifyPKCS1v15(&pairs()[0].PublicKey, crypto.SHA256, digest[:], signature); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// cpu reports the CPU time of this process per operation, from the call to the call of the
// function that it returns.
func cpu(b *testing.B) func() {
	b.Helper()
	spent := func() int64 {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		return usage.Utime.Nano() + usage.Stime.Nano()
	}
	before := spent()
	return func() { b.ReportMetric(float64(spent()-before)/1000/float64(b.N), "cpu-µs/op") }
}
