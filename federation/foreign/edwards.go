package foreign

import (
	"crypto/ed25519"
	"math/big"
	"slices"
)

// The field and the curve of Ed25519 (RFC 8032, section 5.1).
var (
	fieldPrime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	curveD     = func() *big.Int {
		d := new(big.Int).ModInverse(big.NewInt(121666), fieldPrime)
		return d.Mod(d.Mul(d, big.NewInt(-121665)), fieldPrime)
	}()
)

// isValidEd25519 reports whether key encodes a point on the curve (RFC 8032, section 5.1.3)
// that is not one of the eight points of small order. With a point of small order, one
// signature verifies for many messages. crypto/ed25519 checks the encoding only when it
// verifies a signature, and never checks the order.
func isValidEd25519(key ed25519.PublicKey) bool {
	bytes := slices.Clone(key)
	slices.Reverse(bytes)
	bytes[0] &= 0x7f // removes the sign of x
	y, one := new(big.Int).SetBytes(bytes), big.NewInt(1)
	if y.Cmp(fieldPrime) >= 0 || y.Sign() == 0 {
		return false
	}
	squared := new(big.Int).Mul(y, y)
	below := new(big.Int).Mul(curveD, squared)
	below.Add(below, one).ModInverse(below.Mod(below, fieldPrime), fieldPrime)
	x := new(big.Int).Sub(squared, one) // x²
	x.Mod(x.Mul(x, below), fieldPrime)
	if x.Sign() == 0 || big.Jacobi(x, fieldPrime) != 1 {
		return false
	}
	// A point of order 8, doubled, has y = 0. This holds if x² = -y².
	sum := new(big.Int).Add(x, squared)
	return sum.Mod(sum, fieldPrime).Sign() != 0
}
