package config

import "testing"

func TestParseMasterKey(t *testing.T) {
	for text, want := range map[string]bool{
		"q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=": true,
		"q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k":  true, // base64url without padding
		"":             false,
		"c2hvcnQ=":     false,
		"not base64 !": false,
		"q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mr":    false, // 33 bytes
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=":    false,
		"//////////////////////////////////////////8=":    false,
		"q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k= \n": false,
	} {
		if _, err := ParseMasterKey(text); (err == nil) != want {
			t.Errorf("%q: got %v, want accepted: %v", text, err, want)
		}
	}
}
