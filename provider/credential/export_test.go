package credential

// Waiting is how many callers stand in the queue.
func Waiting(p *Passwords) int64 { return p.queue.waiting.Load() }

// BeforeHash calls f with its memory, in KiB, before each hash.
func BeforeHash(p *Passwords, f func(memory uint32)) {
	hash := p.argon2
	p.argon2 = func(password, salt []byte, time, memory uint32, threads uint8, size uint32) []byte {
		f(memory)
		return hash(password, salt, time, memory, threads, size)
	}
}

// AroundHash lets f call each hash.
func AroundHash(p *Passwords, f func(hash func())) {
	argon2 := p.argon2
	p.argon2 = func(password, salt []byte, time, memory uint32, threads uint8, size uint32) (sum []byte) {
		f(func() { sum = argon2(password, salt, time, memory, threads, size) })
		return sum
	}
}
