package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"signet/federation/foreign"
	"signet/provider/request"
)

// ClaimNames lists all supported claims, for discovery.
func ClaimNames() []string {
	names := []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid"}
	for _, scope := range request.ScopeNames {
		names = append(names, request.ScopeClaims[scope]...)
	}
	return names
}

// ClaimsRequest is the stored form of the claims parameter (OIDC Core, section 5.5).
type ClaimsRequest struct {
	UserInfo map[string]*AskedClaim `json:"userinfo,omitempty"`
	IDToken  map[string]*AskedClaim `json:"id_token,omitempty"`
}

// AskedClaim describes how one claim is requested; nil in a map stands for null.
type AskedClaim struct {
	Essential bool              `json:"essential,omitempty"`
	Value     json.RawMessage   `json:"value,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"`
}

// Wanted lists the requested values, which must be strings. It returns false if one is not:
// such a value could not be compared, and ignoring it would ignore the request.
func (c *AskedClaim) Wanted() ([]string, bool) {
	all := c.Values
	if len(c.Value) > 0 {
		all = append([]json.RawMessage{c.Value}, all...)
	}
	texts := make([]string, len(all))
	for i, raw := range all {
		if json.Unmarshal(raw, &texts[i]) != nil || string(raw) == "null" {
			return nil, false
		}
	}
	return texts, true
}

// ErrMalformedClaims: the claims parameter cannot be read. The text is for the client.
var ErrMalformedClaims = errors.New("claims is not the JSON object of OpenID Connect Core, section 5.5")

// ParseClaimsRequest reads the claims parameter and drops unknown claims. Names must be
// spelled exactly as in the specification, since the JSON comes from a stranger. The error
// says that the parameter is not an object of OIDC Core, section 5.5.
func ParseClaimsRequest(raw string) (ClaimsRequest, error) {
	var asked ClaimsRequest
	members, err := foreign.ReadObject([]byte(raw))
	if err != nil {
		return asked, fmt.Errorf("%w: the text %w", ErrMalformedClaims, err)
	}
	if asked.UserInfo, err = readClaimSet(members["userinfo"]); err != nil {
		return asked, err
	}
	asked.IDToken, err = readClaimSet(members["id_token"])
	return asked, err
}

func readClaimSet(value any) (map[string]*AskedClaim, error) {
	if value == nil {
		return nil, nil
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, ErrMalformedClaims
	}
	set, known := map[string]*AskedClaim{}, ClaimNames()
	for name, value := range members {
		one, err := readClaim(value)
		if err != nil {
			return nil, err
		}
		if slices.Contains(known, name) {
			set[name] = one
		}
	}
	return set, nil
}

// readClaim reads how one claim is requested, and ignores unknown members.
func readClaim(value any) (*AskedClaim, error) {
	if value == nil {
		return nil, nil
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, ErrMalformedClaims
	}
	one := &AskedClaim{}
	if essential, found := members["essential"]; found && essential != nil {
		if one.Essential, ok = essential.(bool); !ok {
			return nil, ErrMalformedClaims
		}
	}
	if wanted, found := members["value"]; found {
		var err error
		if one.Value, err = json.Marshal(wanted); err != nil {
			return nil, err
		}
	}
	values, found := members["values"].([]any)
	if !found && members["values"] != nil {
		return nil, ErrMalformedClaims
	}
	for _, wanted := range values {
		text, err := json.Marshal(wanted)
		if err != nil {
			return nil, err
		}
		one.Values = append(one.Values, text)
	}
	return one, nil
}
