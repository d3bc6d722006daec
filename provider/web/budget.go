package web

import "fmt"

// The default limits of proxies decide the size of our headers: nginx needs the whole
// header block of an answer to fit into 4 KB (proxy_buffer_size), and each header line of
// a request into 8 KB (large_client_header_buffers). Beyond these limits, people get 502
// or 400 until their cookies expire.
const (
	// MaxHeaderBlock is the limit, in bytes, for the status line and all headers of an
	// answer.
	MaxHeaderBlock = 4096
	// MaxAddress is the limit, in characters, for the address of a redirect. The
	// remainder of MaxHeaderBlock is for the other headers.
	MaxAddress = 3200
	// MaxCookies is the limit, in bytes, for all our cookies in the Cookie header. The cookie of
	// the setting session_management comes on top, with less than 100 bytes.
	MaxCookies = 6432
)

// checkAddressLength refuses an address that is too long for an answer. An error page of
// ours explains more than the 502 of a proxy.
func checkAddressLength(address string) error {
	if len(address) <= MaxAddress {
		return nil
	}
	return Because("address_too_long", fmt.Errorf("the address of the redirect has %d characters; the limit is %d", len(address), MaxAddress))
}
