package foreign

import (
	"errors"
	"fmt"
	"maps"
)

const (
	maxKeySet = 64 << 10 // bytes
	mostKeys  = 20       // a client rotates among two or three

	// mostUpstreamKeys is how many keys of an upstream are looked at. The largest sets
	// have a few dozen.
	mostUpstreamKeys = 100
)

// ReadKeySet reads a JWK Set (RFC 7517, section 5) that has to be in order as a whole,
// because somebody here can mend it: 1 to 20 usable keys, at most 64 KiB, and a kid of
// its own for each if there are several. See ReadKey for what a usable key is.
func ReadKeySet(document []byte) ([]Key, error) {
	if len(document) > maxKeySet {
		return nil, errors.New("has more than 64 KiB")
	}
	set, err := Object(document)
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
	case len(list) > mostKeys:
		return nil, fmt.Errorf("has %d keys: give at most %d", len(list), mostKeys)
	}
	keys, seen := make([]Key, len(list)), map[string]bool{}
	for i, item := range list {
		if keys[i], err = readItem(item); err != nil {
			return nil, fmt.Errorf("has a key, number %d, that %w", i+1, err)
		}
		switch id := keys[i].ID; {
		case id == "" && len(list) > 1:
			return nil, fmt.Errorf("has a key, number %d, without a kid: each of several keys needs one", i+1)
		case seen[id]:
			return nil, fmt.Errorf("has the kid of key number %d twice: give each key its own", i+1)
		}
		seen[keys[i].ID] = true
	}
	return keys, nil
}

// UsableKeys gives the keys of a JWK Set that signatures may be verified with, as JSON.
// Nobody here can mend the set, so one bad key among good ones stops nobody (RFC 7517,
// section 5), and a member that is null counts as absent: some programs write every member
// that they know. bad says how many bad keys there are; keys for encryption and of kinds
// that we do not use are left out and are not bad.
func UsableKeys(set map[string]any) (usable []any, bad int) {
	list, _ := set["keys"].([]any)
	bad = max(0, len(list)-mostUpstreamKeys)
	for _, item := range list[:len(list)-bad] {
		item = withoutNull(item)
		key, err := readItem(item)
		_, other := errors.AsType[unsupported](err)
		switch {
		case err == nil && key.Use != "enc":
			usable = append(usable, item)
		case err != nil && !other:
			bad++
		}
	}
	return usable, bad
}

// withoutNull gives an object without its members that are null, anything else as it is.
func withoutNull(item any) any {
	members, ok := item.(map[string]any)
	if !ok {
		return item
	}
	members = maps.Clone(members)
	maps.DeleteFunc(members, func(_ string, value any) bool { return value == nil })
	return members
}

func readItem(item any) (Key, error) {
	members, ok := item.(map[string]any)
	if !ok {
		return Key{}, errors.New("is not a JSON object")
	}
	return ReadKey(members)
}
