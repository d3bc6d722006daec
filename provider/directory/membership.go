package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signet/storage"
)

var (
	errLongList   = fmt.Errorf("has more than %d bytes in all: give fewer, or shorter names", storage.MaxListBytes)
	errBlankEntry = errors.New("is blank")
)

// checkMemberships checks roles or groups that an operator sets. An unchanged list may stay.
func checkMemberships(field string, list, before []string) error {
	if slices.Equal(list, before) {
		return nil
	}
	for _, name := range list {
		if err := checkMembership(name); err != nil {
			return &FieldError{field, fmt.Errorf("%q %w", shortened(name), err)}
		}
	}
	if listBytes(list) > storage.MaxListBytes {
		return &FieldError{field, errLongList}
	}
	return nil
}

func checkMembership(name string) error {
	if strings.TrimSpace(name) == "" {
		return errBlankEntry
	}
	return CheckName(name)
}

// listBytes returns the size of a list as JSON.
func listBytes(list []string) int {
	text, err := json.Marshal(list)
	if err != nil {
		return storage.MaxListBytes + 1 // strings always encode
	}
	return len(text)
}

// Reasons in storage.AssertedGroups.Refused. The connector has further reasons.
const (
	GroupsUnreadable = "groups_unreadable"
	GroupsTooLarge   = "groups_too_large"
)

// UpstreamGroups checks the groups that an upstream asserts. Repeated names count once, and
// names are case-sensitive. The whole list is accepted or refused, because a missing group
// could be one that takes a right away.
func UpstreamGroups(names []string) storage.AssertedGroups {
	var list []string
	for _, name := range names {
		if checkMembership(name) != nil {
			return storage.AssertedGroups{Refused: GroupsUnreadable}
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
		if listBytes(list) > storage.MaxListBytes {
			return storage.AssertedGroups{Refused: GroupsTooLarge}
		}
	}
	return storage.AssertedGroups{Names: list}
}
