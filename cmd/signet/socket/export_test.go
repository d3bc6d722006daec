package socket

// Waiting returns the number of waiting connections of a network.
func (c *Crowd) Waiting(network string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.networks[network]; n != nil {
		return n.waiting.Len()
	}
	return 0
}
