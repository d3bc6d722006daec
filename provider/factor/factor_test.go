package factor

import (
	"encoding/base32"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"signet/provider/keys/keystest"
)

// RFC 6238, appendix B: the last six of the eight digits.
func TestStep_AcceptsTheCodesOfTheSpecification(t *testing.T) {
	secret := []byte("12345678901234567890")
	for unix, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := Step(secret, code, time.Unix(unix, 0)); got != unix/30 {
			t.Errorf("%s at %d: step %d, want %d", code, unix, got, unix/30)
		}
	}
}

// The clock of a phone may be off by one step, and not by two.
func TestStep_AcceptsOneStepBeforeAndAfter(t *testing.T) {
	secret := NewSecret()
	at := time.Unix(1_800_000_000, 0)
	code := codeAt(t, secret, at)
	for off, want := range map[time.Duration]bool{-300: false, -31: false, -30: true, 0: true, 29: true, 30: true, 59: true, 60: false, 300: false} {
		got := Step(secret, code, at.Add(off*time.Second))
		if (got != 0) != want || want && got != at.Unix()/30 {
			t.Errorf("%d seconds later: step %d, accepted %v, want %v", off, got, got != 0, want)
		}
	}
	for _, wrong := range []string{"", "00000", "0000000", code + "0", "12345a"} {
		if got := ConfirmedStep(secret, wrong, at); got != 0 {
			t.Errorf("%q is accepted for step %d", wrong, got)
		}
	}
	if got := ConfirmedStep(secret, " "+code[:3]+" "+code[3:]+"\t", at); got != at.Unix()/30 {
		t.Errorf("a code with spaces is refused")
	}
}

// codeAt returns the code that an app shows at this time.
func codeAt(t *testing.T, secret []byte, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(SecretText(secret), at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestSecretURL_IsReadByApps(t *testing.T) {
	secret := NewSecret()
	for account, name := range map[string]string{"alice@example.com": "alice@example.com", "Ada Lovelace": "Ada Lovelace", "a:b/c?d&e=f+g": "ab/c?d&e=f+g", "": "", "José 🎉": "José 🎉"} {
		text := SecretURL(secret, "id.example.com", account)
		key, err := otp.NewKeyFromURL(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if key.Secret() != SecretText(secret) || key.Issuer() != "id.example.com" || key.AccountName() != name || key.Type() != "totp" || key.Period() != 30 || key.Digits() != 6 || key.Algorithm() != otp.AlgorithmSHA1 {
			t.Errorf("%s is read as %+v", text, key)
		}
		if u, err := url.Parse(text); err != nil || len(u.Query()) != 2 {
			t.Errorf("%s: %v", text, err)
		}
	}
	if raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(SecretText(secret)); err != nil || string(raw) != string(secret) {
		t.Errorf("secret %x is written as %s", secret, SecretText(secret))
	}
}

// The picture is drawn again from its path: the finder patterns are in three corners, the light
// frame is empty, and a page with it stays small.
func TestPicture_IsAQRCode(t *testing.T) {
	text := SecretURL(NewSecret(), "id.example.com", strings.Repeat("a", 64)+"@"+strings.Repeat("b", 60)+".example.com")
	p, err := NewPicture(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Path) > 8000 {
		t.Errorf("the path has %d characters", len(p.Path))
	}
	dark := draw(t, p)
	for y := range p.Size {
		for x := range p.Size {
			framed := x < quietZone || y < quietZone || x >= p.Size-quietZone || y >= p.Size-quietZone
			if framed && dark[y][x] {
				t.Fatalf("the frame is dark at %d,%d", x, y)
			}
		}
	}
	end := p.Size - quietZone - 7
	for _, corner := range [][2]int{{quietZone, quietZone}, {end, quietZone}, {quietZone, end}} {
		for i := range 7 {
			for j := range 7 {
				ring := max(abs(i-3), abs(j-3))
				if got, want := dark[corner[1]+j][corner[0]+i], ring != 2; got != want {
					t.Fatalf("finder pattern at %v: %d,%d is dark: %v, want %v", corner, i, j, got, want)
				}
			}
		}
	}
}

func abs(n int) int { return max(n, -n) }

// draw draws the path of a picture.
func draw(t *testing.T, p Picture) [][]bool {
	t.Helper()
	dark := make([][]bool, p.Size)
	for i := range dark {
		dark[i] = make([]bool, p.Size)
	}
	x, y := 0, 0
	number := func(text string) int {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("path has %q: %v", text, err)
		}
		return n
	}
	for step := range strings.FieldsFuncSeq(strings.NewReplacer("M", "|M", "m", "|m", "h", "|h").Replace(p.Path), func(r rune) bool { return r == '|' }) {
		switch step[0] {
		case 'M':
			from, row, _ := strings.Cut(step[1:], " ")
			x, y = number(from), number(strings.TrimSuffix(row, ".5"))
		case 'm':
			x += number(strings.TrimSuffix(step[1:], " 0"))
		case 'h':
			for range number(step[1:]) {
				dark[y][x] = true
				x++
			}
		}
	}
	return dark
}

func TestNewCodes_AreReadAsTyped(t *testing.T) {
	h := keystest.Open(t, "ES256")
	texts, hashes, err := NewCodes(h.Ring, "usr_alice")
	if err != nil || len(texts) != 10 || len(hashes) != 10 {
		t.Fatalf("%d codes, %d hashes, %v", len(texts), len(hashes), err)
	}
	seen := map[string]bool{}
	for i, text := range texts {
		if seen[text] {
			t.Errorf("%s repeats", text)
		}
		seen[text] = true
		for _, typed := range []string{text, strings.ToUpper(text), strings.ReplaceAll(text, "-", ""), " " + text + " ", strings.ReplaceAll(strings.ReplaceAll(text, "0", "O"), "1", "l")} {
			code, kind := read(typed)
			hash, err := h.RecoveryCodeHash("usr_alice", code)
			if kind != recoveryCode || err != nil || string(hash) != string(hashes[i]) {
				t.Errorf("%q is read as %q, %v", typed, code, err)
			}
		}
		code, _ := read(text)
		if other, err := h.RecoveryCodeHash("usr_bob", code); err != nil || string(other) == string(hashes[i]) {
			t.Errorf("the code of another user has the same hash, %v", err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"", "123456", "123 456", "01abc-defgh", "OIL00-00000", "１２３４５６", strings.Repeat("1", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, kind := read(typed)
		switch {
		case kind == appCode && (len(code) != 6 || strings.Trim(code, "0123456789") != ""),
			kind == recoveryCode && (len(code) != recoveryLength || strings.Trim(code, recoveryAlphabet) != ""),
			kind == unusable && code != "":
			t.Errorf("%q is read as %q of kind %d", typed, code, kind)
		}
		if again, same := read(code); kind != unusable && (again != code || same != kind) {
			t.Errorf("%q is read again as %q", code, again)
		}
	})
}
