package request_test

import (
	"regexp"
	"testing"

	"signet/provider/request"
)

func TestNewUserCode_UsesAllLettersAlike(t *testing.T) {
	shape := regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`)
	letters := map[rune]int{}
	for range 5000 {
		code := request.NewUserCode()
		if !shape.MatchString(code.String()) {
			t.Fatalf("user code %q", code)
		}
		if again, ok := request.ReadUserCode(code.String()); !ok || again != code {
			t.Fatalf("%q is read as %q, %v", code, again, ok)
		}
		for _, letter := range code {
			letters[letter]++
		}
	}
	for letter, n := range letters { // 2000 on average; 10 standard deviations are 436
		if n < 1500 || n > 2500 {
			t.Errorf("%c occurs %d times", letter, n)
		}
	}
	if len(letters) != 20 {
		t.Errorf("%d letters", len(letters))
	}
}

func FuzzReadUserCode(f *testing.F) {
	for _, typed := range []string{"WDJB-MJHT", "wdjb mjht", "", "W D J B M J H T", "wdjb–mjht", "5825-8628", "AEIO-UAEI", "\x00\xff"} {
		f.Add(typed)
	}
	shape := regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{8}$`)
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := request.ReadUserCode(typed)
		if !ok {
			return
		}
		if !shape.MatchString(string(code)) {
			t.Fatalf("%q is read as %q", typed, code)
		}
		if again, ok := request.ReadUserCode(code.String()); !ok || again != code {
			t.Fatalf("%q: %q is read as %q", typed, code.String(), again)
		}
	})
}
