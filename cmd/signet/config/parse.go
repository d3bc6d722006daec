package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/cmd/signet/exit"
	"signet/cmd/signet/socket"
	"signet/federation"
	"signet/federation/foreign"
	"signet/provider/keys"
	"signet/provider/outbound"
	"signet/provider/spelling"
	"signet/storage"
)

// The parsers of settings. Their errors describe the mistake in the text. The caller adds the
// place and an example. No error repeats a value that may be secret.

// parseIssuer parses an issuer (OpenID Connect Discovery, section 3): a URL without query and
// fragment. It allows plain http only for loopback hosts.
func parseIssuer(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return "", errors.New("is not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("must begin with https://")
	case u.User != nil:
		return "", errors.New("must not contain a user name or password")
	case strings.ContainsAny(text, "?#"):
		return "", errors.New("must not have a query or a fragment")
	case strings.HasSuffix(text, "/"):
		return "", errors.New("must not end with a slash")
	case u.String() != text || strings.ToLower(u.Host) != u.Host:
		return "", errors.New("must have scheme and host in lower case, and no characters that need escaping")
	case strings.Contains(u.Path, "//") || strings.Contains(u.Path, "/."):
		return "", errors.New("has an empty or dotted path segment")
	case u.Scheme == "http" && !foreign.IsLoopback(u.Hostname()):
		return "", errors.New("is plain http, which is only allowed for loopback hosts: use https")
	}
	return text, foreign.CheckAuthority(u)
}

// parseListen parses the address of a listener: a host and a port, or unix: and a path.
func parseListen(text string) (string, error) {
	if path, is := socket.UnixPath(text); is {
		return text, socket.CheckPath(path)
	}
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", fmt.Errorf("is %q, which is neither a host and a port nor unix: and a path", text)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("has port %q, which is not a number from 0 to 65535", port)
	} else if port != strconv.FormatUint(n, 10) {
		return "", fmt.Errorf("has port %q: write %d", port, n)
	}
	return text, nil
}

// parseSocketMode parses the mode of a unix socket. The owner must have access, and nobody can
// execute a socket.
func parseSocketMode(text string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(text, 8, 12)
	switch mode := fs.FileMode(n); {
	case err != nil:
		return 0, fmt.Errorf("is %q, which is not a mode such as 0660", text)
	case mode&0o600 != 0o600:
		return 0, fmt.Errorf("is %s, which gives the owner no access: use 0600, 0660 or 0666", text)
	case mode&^0o666 != 0:
		return 0, fmt.Errorf("is %s, but a socket has no right to execute and no special bits: use 0600, 0660 or 0666", text)
	default:
		return mode, nil
	}
}

func parsePath(text string) (string, error) {
	if text == "" || strings.ContainsRune(text, 0) {
		return "", errors.New("is empty")
	}
	return text, nil
}

func parseCertificatePath(text string) (string, error) {
	if strings.Contains(text, "-----BEGIN") {
		return "", errors.New("is PEM text: use the path of the file that contains it")
	}
	return parsePath(text)
}

func parseDatabase(text string) (federation.Secret, error) {
	if text == "" {
		return federation.Secret{}, nil
	}
	if err := storage.CheckURL(text); err != nil {
		return federation.Secret{}, err
	}
	return federation.NewSecret(text), nil
}

func parseMasterKeySetting(text string) (federation.Secret, error) {
	if _, err := ParseMasterKey(text); err != nil {
		return federation.Secret{}, err
	}
	return federation.NewSecret(text), nil
}

// ParseMasterKey decodes a master key: 32 bytes in base64. It refuses a key that repeats one
// byte, since it is not random.
func ParseMasterKey(text string) (key [32]byte, err error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		raw, err = base64.RawURLEncoding.DecodeString(text)
	}
	switch {
	case text == "":
		return key, errors.New("is empty")
	case err != nil:
		return key, errors.New("is not base64")
	case len(raw) != len(key):
		return key, fmt.Errorf("has %d bytes, not %d", len(raw), len(key))
	case !slices.ContainsFunc(raw, func(b byte) bool { return b != raw[0] }):
		return key, errors.New("repeats one byte 32 times, so it is not random")
	}
	return [32]byte(raw), nil
}

var cookieName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

func parseCookieName(text string) (string, error) {
	if !cookieName.MatchString(text) {
		return "", errors.New("must be 1 to 32 letters, digits, - or _")
	}
	return text, nil
}

// parseNetworks parses addresses and networks. It refuses a network of all addresses: every
// client could then choose the address that is counted, logged and shown.
func parseNetworks(text string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, item := range splitList(text) {
		network, err := netip.ParsePrefix(item)
		if err != nil {
			address, notAddress := netip.ParseAddr(item)
			if notAddress != nil {
				return nil, fmt.Errorf("contains %q, which is not an address or a network", item)
			}
			network = netip.PrefixFrom(address.WithZone(""), address.BitLen())
		}
		if network.Addr().Is4In6() && network.Bits() >= 96 {
			network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96)
		}
		if network.Bits() == 0 {
			return nil, fmt.Errorf("contains %q, which is every address: list only the addresses of the proxies", item)
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

func parseLogLevel(text string) (slog.Level, error) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, ok := levels[text]
	if !ok {
		return 0, fmt.Errorf("is %q; use debug, info, warn or error", text)
	}
	return level, nil
}

// bounds are the limits of a whole number, both inclusive.
type bounds struct{ least, most int }

var (
	// NIST SP 800-63B, section 5.1.1.2: require at least 8 characters, and accept at least 64.
	passwordLength = bounds{8, 64}
	hashMemory     = bounds{19, 256}
	hashPasses     = bounds{2, 16}
	hashThreads    = bounds{1, 16}
	rateLimit      = bounds{1, 1_000_000}
	mailPort       = bounds{1, 65535}
)

func (b bounds) parse(text string) (int, error) {
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("is %q, which is not a whole number", text)
	case n < b.least || n > b.most:
		return 0, fmt.Errorf("is %d; use %d to %d", n, b.least, b.most)
	}
	return n, nil
}

// parseAlgorithms parses a list that contains at least ES256 and RS256. Access tokens are
// signed with ES256. RS256 signs the ID tokens of clients that name no algorithm (OIDC Dynamic
// Client Registration, section 2).
func parseAlgorithms(text string) ([]string, error) {
	names, err := parseAlgorithmNames(text)
	if err != nil {
		return nil, err
	}
	for _, name := range keys.DefaultAlgorithms() {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("must contain %s, which signs tokens unless a client uses another algorithm", name)
		}
	}
	return names, nil
}

// parseResponseTypes parses a list of response types, each with its words in any order. Every
// client that signs people in may use code, so code must be in the list.
func parseResponseTypes(text string) ([]string, error) {
	var names []string
	for _, words := range splitList(text) {
		t, known := storage.FindResponseType(words)
		switch {
		case !known:
			return nil, fmt.Errorf("contains %q; use only %s", words, strings.Join(storage.ResponseTypeNames(), ", "))
		case slices.Contains(names, t.Name):
			return nil, fmt.Errorf("contains %s twice", t.Name)
		}
		names = append(names, t.Name)
	}
	if !slices.Contains(names, storage.ResponseTypeCode) {
		return nil, fmt.Errorf("must contain %s", storage.ResponseTypeCode)
	}
	return names, nil
}

func parseAlgorithmNames(text string) ([]string, error) {
	names := splitList(text)
	for i, name := range names {
		if !slices.Contains(keys.SigningAlgorithms(), name) {
			return nil, fmt.Errorf("contains %q; use only %s", name, strings.Join(keys.SigningAlgorithms(), ", "))
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("contains %s twice", name)
		}
	}
	return names, nil
}

// parseTrustLife parses 0, or a duration of 1 to 90 whole days.
func parseTrustLife(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	d, err := foreign.ParseDuration(text, 0, 90*day)
	if err == nil && d%day != 0 {
		err = fmt.Errorf("is %s, which is not a number of whole days: use a value such as 30d", text)
	}
	return d, err
}

// oneOf returns a parser that accepts only these words.
func oneOf(words ...string) func(string) (string, error) {
	return func(text string) (string, error) {
		if !slices.Contains(words, text) {
			return "", fmt.Errorf("is %q; use %s%s", text, strings.Join(words, " or "), spelling.DidYouMean(text, words))
		}
		return text, nil
	}
}

// parseMailHost parses the name or the address of a mail server.
func parseMailHost(text string) (string, error) {
	if strings.ContainsAny(text, "/@ ") || strings.Contains(text, ":") && strings.Count(text, ":") < 2 {
		return "", errors.New("is not a host: write only its name or address, and the port in smtp.port")
	}
	return text, foreign.CheckHostname(text)
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("is %q; use true or false", text)
}

func parseBoolPointer(text string) (*bool, error) {
	value, err := parseBool(text)
	return &value, err
}

func parseText(text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", errors.New("is empty")
	}
	return text, nil
}

func parseSecret(text string) (federation.Secret, error) {
	if text == "" {
		return federation.Secret{}, errors.New("is empty")
	}
	if strings.Contains(text, "\x00") {
		return federation.Secret{}, errors.New("contains a zero byte: write it as text")
	}
	return federation.NewSecret(text), nil
}

func parseItems(text string) ([]string, error) { return splitList(text), nil }

// parsePairs parses name=value, name=value.
func parsePairs(text string) (map[string]string, error) {
	pairs := map[string]string{}
	for _, item := range splitList(text) {
		name, value, ok := strings.Cut(item, "=")
		if !ok || name == "" || value == "" {
			return nil, fmt.Errorf("contains %q, which is not name=value", item)
		}
		pairs[name] = value
	}
	return pairs, nil
}

// parseAuthorities returns the certificates of the file that the setting names.
func parseAuthorities(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("names %s, which cannot be read (%s)", file, exit.WithoutPath(err))
	}
	if _, err := outbound.Roots(content); err != nil {
		return "", fmt.Errorf("names %s, which contains no certificate in PEM form", file)
	}
	return string(content), nil
}

func parseProxy(text string) (federation.Secret, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return federation.Secret{}, errors.New("is not a URL that begins with http:// or https://")
	}
	if err := foreign.CheckHostname(u.Hostname()); err != nil {
		return federation.Secret{}, err
	}
	return federation.NewSecret(text), nil
}

// splitList splits a list at its commas, and drops empty items.
func splitList(text string) []string {
	var out []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// parseWebhookURL parses the address of a webhook.
func parseWebhookURL(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Fragment != "" || u.User != nil:
		return "", fmt.Errorf("is %q, which is not a URL without user and fragment, such as https://siem.example.com/signet", text)
	case u.Scheme != "https" && (u.Scheme != "http" || !foreign.IsLoopback(u.Hostname())):
		return "", fmt.Errorf("is %q: use https, because events have personal data; http is only for loopback hosts", text)
	}
	return text, nil
}

// parseEventTypes parses a list of event types, or all.
func parseEventTypes(text string) ([]storage.EventType, error) {
	if text == "all" {
		return nil, nil
	}
	var types []storage.EventType
	for _, name := range splitList(text) {
		kind := storage.EventType(name)
		if !slices.Contains(storage.EventTypes, kind) {
			return nil, fmt.Errorf("has %q, which is not an event type: see the types in the answer of signet events --type %s", name, name)
		}
		types = append(types, kind)
	}
	return types, nil
}
