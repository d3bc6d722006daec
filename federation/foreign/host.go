package foreign

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// IsLoopback reports whether host is localhost or a loopback address. host has no port and
// no brackets.
func IsLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// IsLoopbackAuthority reports whether a Host header, with or without a port, is a loopback
// address, localhost or a name below localhost. Browsers do not look up names below localhost
// (RFC 6761, section 6.3). The owner of any other name may point it to this machine, so that
// the owner's page could read the answers of this machine.
func IsLoopbackAuthority(authority string) bool {
	host := strings.ToLower(authority)
	if at := strings.LastIndexByte(host, ':'); at > strings.LastIndexByte(host, ']') {
		host = host[:at]
	}
	if bare, found := strings.CutPrefix(host, "["); found {
		address, closed := strings.CutSuffix(bare, "]")
		return closed && strings.Contains(address, ":") && IsLoopback(address)
	}
	return CheckHost(host) == nil && (IsLoopback(host) || strings.HasSuffix(host, ".localhost"))
}

// CheckAuthority returns an error if host and port of an http or https URL are not in the
// form in which a browser writes them. A browser rewrites a URL before it compares or sends
// it, so another form would never match.
func CheckAuthority(u *url.URL) error {
	host, port, found := u.Host, "", false
	if at := strings.LastIndexByte(host, ':'); at > strings.LastIndexByte(host, ']') {
		host, port, found = host[:at], host[at+1:], true
	}
	if err := CheckHost(host); err != nil {
		return err
	}
	switch n, err := strconv.ParseUint(port, 10, 16); {
	case !found:
		return nil
	case err != nil || n == 0 || port[0] == '0':
		return errors.New("has an invalid port: use a number from 1 to 65535, without zeros in front")
	case u.Scheme == "https" && n == 443, u.Scheme == "http" && n == 80:
		return fmt.Errorf("has the port %d, which browsers leave out: leave it out too", n)
	}
	return nil
}

// CheckHost returns an error if host is not a valid host name or IP address. A name is in
// lower case, with punycode for characters beyond ASCII. An IPv6 address is in brackets.
//
// CheckHost accepts single labels, and also underscores, which RFC 1123 forbids: networks
// have such hosts, and all browsers accept them unchanged.
func CheckHost(host string) error {
	switch {
	case host == "":
		return errors.New("has no host")
	case strings.HasPrefix(host, "["):
		return checkIPv6(host)
	case len(host) > 253:
		return errors.New("has a host name of more than 253 characters")
	case strings.HasSuffix(host, "."):
		return errors.New("has a dot at the end of its host: leave it out")
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if err := checkLabel(label); err != nil {
			return err
		}
	}
	if endsInNumber(labels[len(labels)-1]) {
		return checkIPv4(host)
	}
	if strings.HasPrefix(host, "xn--") || strings.Contains(host, ".xn--") {
		return checkPunycode(host)
	}
	return nil
}

// CheckHostname is CheckHost for a host in the form of url.URL.Hostname: in upper or lower
// case, and without the brackets of IPv6.
func CheckHostname(host string) error {
	host = strings.ToLower(host)
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return CheckHost(host)
}

func checkLabel(label string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	switch {
	case label == "":
		return errors.New("has an empty label in its host name: remove the extra dot")
	case len(label) > 63:
		return errors.New("has a label of more than 63 characters in its host name")
	case strings.Trim(label, letters) != "":
		return errors.New("has an invalid character in its host: use lower-case letters, digits and hyphens, and punycode (xn--) for all others")
	case label[0] == '-' || label[len(label)-1] == '-':
		return errors.New("has a host name in which a label begins or ends with a hyphen")
	}
	return nil
}

// endsInNumber reports whether browsers read a host that ends with this label as an IPv4
// address (WHATWG URL, "ends in a number").
func endsInNumber(label string) bool {
	if digits, hex := strings.CutPrefix(label, "0x"); hex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

func checkIPv4(host string) error {
	if address, err := netip.ParseAddr(host); err != nil || !address.Is4() {
		return errors.New("has a host that ends in a number but is not an IPv4 address: write an address as four decimal numbers")
	}
	return nil
}

func checkIPv6(host string) error {
	address, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
	switch {
	case err != nil || !address.Is6() || !strings.HasSuffix(host, "]"):
		return errors.New("has an invalid IPv6 address")
	case address.Zone() != "":
		return errors.New("has an IPv6 address with a zone, which is valid on one machine only: remove the zone")
	case address.Is4In6():
		return errors.New("has an IPv4 address written as IPv6: write it as four decimal numbers")
	case "["+address.String()+"]" != host:
		return fmt.Errorf("has an IPv6 address that browsers rewrite: write [%s]", address)
	}
	return nil
}

// punycode reads names as browsers do (UTS #46, nontransitional). It does not check hyphens
// in the third and fourth place, because real hosts have them.
var punycode = idna.New(idna.MapForLookup(), idna.StrictDomainName(false), idna.CheckHyphens(false), idna.CheckJoiners(true), idna.BidiRule(), idna.Transitional(false))

func checkPunycode(host string) error {
	decoded, err := punycode.ToUnicode(host)
	if err == nil {
		var again string
		if again, err = punycode.ToASCII(decoded); err == nil && again == host && decoded != host {
			return nil
		}
	}
	return errors.New("has invalid punycode (xn--) in its host name")
}
