package web

import "fmt"

// The default limits of proxies decide how much an answer and a request may carry: nginx
// reads the whole header block of an answer into 4 KB (proxy_buffer_size), and no line of a
// request over 8 KB (large_client_header_buffers). Beyond that, people get 502 or 400 until
// their cookies expire.
const (
	// MaxHeaderBlock is how many bytes the status line and the headers of an answer have.
	MaxHeaderBlock = 4096
	// MaxAddress is how long an address may be that an answer sends a browser to, in
	// characters. The other headers of an answer have the rest.
	MaxAddress = 3200
	// MaxCookies is how many bytes all our cookies have in the Cookie header.
	MaxCookies = 6144
)

// checkAddressLength refuses an address that does not fit into an answer: an error page says
// more than the 502 of a proxy.
func checkAddressLength(address string) error {
	if len(address) <= MaxAddress {
		return nil
	}
	return Because("address_too_long", fmt.Errorf("the answer would lead to an address of %d characters, and may have %d", len(address), MaxAddress))
}
