package mail

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/mail"
	"strconv"
	"strings"

	"signet/federation"
	"signet/federation/foreign"
)

// Encryption is how the connection to the mail server is encrypted.
type Encryption string

// The kinds of encryption.
const (
	StartTLS Encryption = "starttls" // RFC 3207; a server without it is refused
	TLS      Encryption = "tls"      // from the first byte (RFC 8314, section 3.3)
	None     Encryption = "none"     // only to a loopback host
)

// DefaultPort returns the port of mail servers for the kind of encryption (RFC 8314, section
// 3.3; RFC 5321).
func (e Encryption) DefaultPort() int {
	switch e {
	case TLS:
		return 465
	case None:
		return 25
	}
	return 587
}

// Config is the mail server. The zero value sends no mails.
type Config struct {
	Host       string // "": no mails are sent
	Port       int    // 0: the default of the encryption
	Username   string // "": without authentication
	Password   federation.Secret
	Encryption Encryption // "": StartTLS
	From       Sender
	Roots      *x509.CertPool // verify the server's certificate; nil: the roots of the system
	Name       string         // of this host, for the greeting
}

// IsSet reports whether mails are sent.
func (c Config) IsSet() bool { return c.Host != "" }

func (c Config) encryption() Encryption {
	if c.Encryption == "" {
		return StartTLS
	}
	return c.Encryption
}

func (c Config) port() int {
	if c.Port == 0 {
		return c.encryption().DefaultPort()
	}
	return c.Port
}

// String describes the server for error messages.
func (c Config) String() string { return c.Host + ":" + strconv.Itoa(c.port()) }

// Sender is the author of all mails.
type Sender struct {
	name    string // shown by mail programs; "": none
	address string // its domain is an A-label
}

// IsSet reports whether there is an address.
func (s Sender) IsSet() bool { return s.address != "" }

// longestSenderName is the longest name of a sender in characters.
const longestSenderName = 60

// ParseSender reads the form no-reply@example.com or Example <no-reply@example.com>.
func ParseSender(text string) (Sender, error) {
	parsed, err := mail.ParseAddress(text)
	if err != nil {
		return Sender{}, errors.New("is not an email address such as no-reply@example.com or Example <no-reply@example.com>")
	}
	address, err := Envelope(parsed.Address)
	if err != nil {
		return Sender{}, fmt.Errorf("has the address %s, which is not accepted: use ASCII letters before the @ and a domain name after it", foreign.ForError(parsed.Address))
	}
	if parsed.Name != foreign.ForPage(parsed.Name) || len([]rune(parsed.Name)) > longestSenderName {
		return Sender{}, fmt.Errorf("has a name with hidden characters, or with more than %d characters", longestSenderName)
	}
	return Sender{parsed.Name, address}, nil
}

func (s Sender) domain() string { return s.address[strings.LastIndexByte(s.address, '@')+1:] }

// ErrRecipient: the address cannot receive mails of ours. foreign.SplitEmail says which
// addresses can. In particular, the part before the @ must be ASCII, because only some mail
// servers transport others (RFC 6531).
var ErrRecipient = errors.New("not an address that can receive mail")

// Envelope returns the address as the protocol needs it: the domain as an A-label (RFC 5891).
// ErrRecipient.
func Envelope(address string) (string, error) {
	local, domain, err := foreign.SplitEmail(address)
	if err != nil {
		return "", ErrRecipient
	}
	return local + "@" + domain, nil
}
