package credential

// Waiting returns the number of callers in the queue.
func Waiting(p *Passwords) int64 { return p.queue.waiting.Load() }

// BeforeHash makes p call f before each hash, with the memory of the hash in KiB.
func BeforeHash(p *Passwords, f func(memory uint32)) {
	hash := p.argon2
	p.argon2 = func(password, salt []byte, time, memory uint32, threads uint8, size uint32) []byte {
		f(memory)
		return hash(password, salt, time, memory, threads, size)
	}
}

// AroundHash makes p call f instead of each hash. f runs the hash itself.
func AroundHash(p *Passwords, f func(hash func())) {
	argon2 := p.argon2
	p.argon2 = func(password, salt []byte, time, memory uint32, threads uint8, size uint32) (sum []byte) {
		f(func() { sum = argon2(password, salt, time, memory, threads, size) })
		return sum
	}
}

// CommonList is the embedded list of common passwords.
var CommonList = commonList

const MinCommonLength = minCommonLength

var (
	Fold     = fold
	IsListed = isListed
)
