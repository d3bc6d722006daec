package foreign

import (
	"errors"
	"fmt"
	"slices"
)

const (
	maxKeySet     = 64 << 10 // bytes
	maxClientKeys = 20       // a client normally has two or three

	// maxUpstreamKeys is the number of keys of an upstream that are read. The largest sets
	// have a few dozen.
	maxUpstreamKeys = 100
)

// ReadKeySet reads a JWK Set (RFC 7517, section 5) of a client. One invalid key makes the
// whole set invalid, because a person here can correct it. A valid set has 1 to 20 keys that
// ReadKey accepts, at most 64 KiB, and, with several keys, a different kid for each.
func ReadKeySet(document []byte) ([]Key, error) {
	if len(document) > maxKeySet {
		return nil, errors.New("has more than 64 KiB")
	}
	set, err := ReadObject(document)
	if err != nil {
		return nil, err
	}
	if _, single := set["kty"]; single {
		return nil, errors.New(`is a single key: write {"keys": [ … ]} around it (RFC 7517, section 5)`)
	}
	list, ok := set["keys"].([]any)
	switch {
	case !ok || len(list) == 0:
		return nil, errors.New(`must be a JSON document {"keys": [ … ]} with at least one key (RFC 7517, section 5)`)
	case len(list) > maxClientKeys:
		return nil, fmt.Errorf("has %d keys: at most %d are allowed", len(list), maxClientKeys)
	}
	keys, seen := make([]Key, len(list)), map[string]bool{}
	for i, item := range list {
		if keys[i], err = readItem(item); err != nil {
			return nil, fmt.Errorf("has a key, number %d, that %w", i+1, err)
		}
		switch id := keys[i].ID; {
		case id == "" && len(list) > 1:
			return nil, fmt.Errorf("has a key, number %d, without a kid: each of several keys needs a kid", i+1)
		case seen[id]:
			return nil, fmt.Errorf("has the kid of key number %d twice: use a different kid for each key", i+1)
		}
		seen[keys[i].ID] = true
	}
	return keys, nil
}

// UsableKeys returns the keys of an upstream's JWK Set that can verify signatures. It skips
// bad keys instead of refusing the set, because only the upstream can correct them (RFC 7517,
// section 5). bad is the number of keys that are malformed, too weak, or after the hundredth.
// It also skips keys for encryption and keys of kinds that we do not use; these are not bad.
//
// ErrJSON: the document is not an object, or its member keys is not a list.
func UsableKeys(document []byte) (usable []Key, bad int, err error) {
	set, err := ReadMembers(document)
	if err != nil {
		return nil, 0, err
	}
	raw, err := set.Raw("keys")
	if err != nil {
		return nil, 0, fmt.Errorf("keys: %w", err)
	}
	list, err := ReadItems(raw)
	if err != nil {
		return nil, 0, fmt.Errorf("keys: %w", err)
	}
	bad = max(0, len(list)-maxUpstreamKeys)
	for _, item := range list[:len(list)-bad] {
		key, err := readUpstreamKey(item)
		_, other := errors.AsType[unsupported](err)
		switch {
		case err == nil && key.Use != "enc":
			usable = append(usable, key)
		case err != nil && !other:
			bad++
		}
	}
	return usable, bad, nil
}

// readUpstreamKey reads a JWK. It checks only the members that are needed to verify a
// signature: it ignores certificates and the coordinates of other kinds of keys. Null and ""
// count as absent, because some programs write all members that they know.
func readUpstreamKey(text []byte) (Key, error) {
	all, err := ReadMembers(text)
	if err != nil {
		return Key{}, err
	}
	used := map[string]any{}
	read := func(names ...string) error {
		for _, name := range names {
			value, err := all.Value(name)
			if err != nil {
				return fmt.Errorf("has a member %s that %w", name, err)
			}
			if value != nil && value != "" {
				used[name] = value
			}
		}
		return nil
	}
	if err := read("kty", "kid", "alg", "use", "key_ops"); err != nil {
		return Key{}, err
	}
	kind, _ := used["kty"].(string)
	if err := read(keyMembers[kind]...); err != nil {
		return Key{}, err
	}
	for _, name := range privateMembers {
		if raw, err := all.Raw(name); err != nil || raw != nil && string(raw) != "null" {
			used[name] = true
		}
	}
	key, err := readKey(used)
	if err != nil {
		return Key{}, err
	}
	if key.Use, err = signingUse(used); err != nil {
		return Key{}, err
	}
	return key, checkAlgorithm(&key)
}

// keyMembers lists the members of the public key for each kty (RFC 7518, section 6; RFC 8037).
var keyMembers = map[string][]string{"RSA": {"n", "e"}, "EC": {"crv", "x", "y"}, "OKP": {"crv", "x"}}

// signingUse returns the use of a key. If key_ops contains verify, it may contain any other
// operations.
func signingUse(used map[string]any) (string, error) {
	use, _ := used["use"].(string)
	if used["use"] != nil && use != "sig" && use != "enc" {
		return "", errors.New("has a use other than sig or enc")
	}
	list, ok := used["key_ops"].([]any)
	switch {
	case used["key_ops"] == nil:
		return use, nil
	case !ok:
		return "", errors.New("has key_ops that are not a list")
	case slices.Contains(list, any("verify")):
		return use, nil
	case use != "sig" && slices.ContainsFunc(list, func(v any) bool { name, _ := v.(string); return useOfOperation[name] == "enc" }):
		return "enc", nil
	}
	return "", errors.New("has key_ops without verify")
}

func readItem(item any) (Key, error) {
	members, ok := item.(map[string]any)
	if !ok {
		return Key{}, errors.New("is not a JSON object")
	}
	return ReadKey(members)
}
