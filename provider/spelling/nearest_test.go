package spelling

import "testing"

func TestNearest_SuggestsOnlyLikelyWords(t *testing.T) {
	names := []string{"issuer", "listen", "data_dir", "password-stdin"}
	for word, want := range map[string]string{
		"isuer": "issuer", "issuers": "issuer", "sisuer": "issuer", "lisen": "listen", "datadir": "data_dir",
		"password": "password-stdin", "zebra": "", "": "", "i": "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("nearest(%q) is %q, want %q", word, got, want)
		}
	}
}
