package passkey

// EndpointsPath is the path of Endpoints at the RP ID.
const EndpointsPath = "/.well-known/passkey-endpoints"

// Endpoints tell password managers the pages on which people add and manage passkeys (W3C, A
// Well-Known URL for Relying Party Passkey Endpoints, section 3). Both are URLs.
type Endpoints struct {
	Enroll string `json:"enroll"`
	Manage string `json:"manage"`
}

// EndpointsOf returns the pages of an issuer.
func EndpointsOf(issuer string) Endpoints {
	return Endpoints{Enroll: issuer + "/account/passkeys/add", Manage: issuer + "/account/passkeys"}
}
