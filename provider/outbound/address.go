package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// ErrNotPublic: the host is, or resolves to, an address that is not public.
var ErrNotPublic = errors.New("address is not public")

// checkPublic returns a dialer control function that refuses addresses that are not public. It
// runs after the name was resolved, so that no second look-up can give another address.
// ErrNotPublic.
func checkPublic(allowed []netip.Prefix) func(network, address string, c syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("connect to %q: %w", address, ErrNotPublic)
		}
		if !IsPublic(at.Addr(), allowed...) {
			return fmt.Errorf("connect to %s: %w", at.Addr(), ErrNotPublic)
		}
		return nil
	}
}

// IsPublic reports whether the address belongs to the public internet or to one of the allowed
// networks. IPv4-mapped IPv6 addresses (::ffff:…) are not public, because no document needs
// them. The dialer itself converts them to IPv4 before checkPublic runs.
func IsPublic(ip netip.Addr, allowed ...netip.Prefix) bool {
	if !ip.IsValid() || ip.Zone() != "" {
		return false
	}
	for _, network := range allowed {
		if network.Contains(ip) || ip.Is4In6() && network.Contains(ip.Unmap()) {
			return true
		}
	}
	for _, network := range specialNetworks {
		if network.Contains(ip) {
			return false
		}
	}
	return ip.Is4() || globalUnicast.Contains(ip)
}

// globalUnicast is the part of IPv6 that IANA assigns today. All other IPv6 addresses are
// loopback, local, multicast, mapped, or not assigned.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// specialNetworks lists the networks of the IANA special-purpose registries (RFC 6890) that
// lead to a private network, to this machine, or to no host.
var specialNetworks = prefixes(
	"0.0.0.0/8",       // this host
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // shared by a carrier's customers
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local, the metadata services of clouds
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.31.196.0/24", // AS112
	"192.52.193.0/24", // AMT
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"192.175.48.0/24", // AS112
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, broadcast
	"64:ff9b::/96",    // NAT64: carries an IPv4 address
	"64:ff9b:1::/48",  // NAT64 in a local network
	"2001::/23",       // protocol assignments, Teredo among them
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4: carries an IPv4 address
	"3fff::/20",       // documentation
	"2620:4f:8000::/48",
)

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}
