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

// isValidEd25519 reports whether key is the encoding of a point on the curve (RFC 8032,
// section 5.1.3) that has not one of the eight small orders: with those, one signature
// is good for many messages. crypto/ed25519 finds out the first only when it verifies,
// and the second never.
func isValidEd25519(key ed25519.PublicKey) bool {
	bytes := slices.Clone(key)
	slices.Reverse(bytes)
	bytes[0] &= 0x7f // the sign of x
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
	// Twice a point of order 8 has y = 0, which is so where x² = -y².
	sum := new(big.Int).Add(x, squared)
	return sum.Mod(sum, fieldPrime).Sign() != 0
}
