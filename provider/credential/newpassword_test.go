package credential_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"signet/provider/credential"
	"signet/storage"
	"signet/storage/storagetest"
)

// PW-23: Short and common passwords are refused when set; pasting works.
func TestHash_WeakPasswordsAreRefusedWithReason(t *testing.T) {
	d := newChecker(t, nil, credential.Config{Issuer: "https://login.acme-widgets.example.com:8443/auth"})
	user := storage.User{
		Email: "Al.Weatherwax@Granny.Example", EmailCanonical: "al.weatherwax@granny.example",
		Name: "Esmeralda Weatherwax", Nickname: "Granny", PreferredUsername: "esme_w",
	}
	const (
		short, long, blank, again = "at least 10 characters", "at most 1024 characters, and only text", "not only spaces", "only repeat a few characters"
		address, name, service    = "do not use the email address", "do not use the name of the user", "do not use the name of this service"
		common                    = "one of the first that attackers try"
	)
	for says, passwords := range map[string][]string{
		short: {
			"", "short12", "nine char", "cafe\u0301!?. a", // nine characters once composed
			"nine char" + strings.Repeat("\u200b", 20), "nine\u3164cha\ufe0fr", // invisible characters
		},
		long: {strings.Repeat("ab c", 257), "with\x00zero byte", "not\xffutf8 at all"},
		blank: {
			strings.Repeat(" ", 8), strings.Repeat(" ", 20), strings.Repeat("\u3000", 12), strings.Repeat("\u00a0\t\u2003", 4),
			strings.Repeat("\u200b", 12), strings.Repeat("\u3164", 12), strings.Repeat("\u2800", 12), strings.Repeat("\u0301", 12), strings.Repeat("\ufe0f", 12),
			strings.Repeat(" \u200d", 8), strings.Repeat("\U000e0041", 12),
		},
		again: {
			"aaaaaaaaaa", "AaAaAaAaAa", "a a a a a a a a", "..........", "a" + strings.Repeat(" ", 12), "ababababab", "xyzxyzxyzxy", strings.Repeat("\U0001f511", 12),
			strings.Repeat("e\u0301", 12), "ééééééEEEEEE", "abcdefghijklm", "zyxwvutsrq", "ａａａａａａａａａａ", "1212121212",
		},
		address: {
			"al.weatherwax@granny.example", "AL.WEATHERWAX@GRANNY.EXAMPLE", "al.weatherwax", "Al Weatherwax", "alweatherwax", "Weatherwax1", "weatherwax 2024!", "12weatherwax34",
			"weatherwax.weatherwax", "al.weatherwax\u200b", "ａｌ．ｗｅａｔｈｅｒｗａｘ", "granny.example", "Weathe\u0301rwax",
		},
		name:    {"Esmeralda Weatherwax", "esmeralda1", "esmeralda-2024", "ESMERALDA!", "esme_w esme_w", "Esmeralda Esmeralda"},
		service: {"signetsignet", "Signet 2026!", "signet12345", "login.acme-widgets.example.com", "acme-widgets", "Acme Widgets 1", "acmewidgets", "https://login.acme-widgets.example.com:8443/auth", "widgets2024", "acme signet"},
		common: {
			"password123", "PassWord1234", "1234567890", "correcthorsebatterystaple", " password 123 ", "password\u200b\u200b12", "Pässwörd 2029", "passwordpassword",
			"ｐａｓｓｗｏｒｄ１２", "!!sunshine!!", "charlie2077", "Summer 2031!", "qwertyuiop[]",
			"password password", "letmein-letmein", "Qwerty, qwerty!", "password 123 password", "p a s s w o r d", "P.a.s.s.w.o.r.d.", "s-u-n-s-h-i-n-e 1", "s u m m e r s u m m e r",
		},
	} {
		for _, password := range passwords {
			hash, err := d.Hash(t.Context(), password, user)
			if !errors.Is(err, credential.ErrWeak) || hash != "" {
				t.Errorf("%.30q: got %q, %v", password, hash, err)
				continue
			}
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%.30q: the error %q does not contain %q", password, err, says)
			}
			reason := strings.TrimPrefix(err.Error(), credential.ErrWeak.Error())
			if strings.TrimSpace(password) != "" && strings.Contains(reason, password) {
				t.Errorf("the error contains the password: %q", err)
			}
		}
	}
	if n := d.hashes.Load(); n != 0 {
		t.Errorf("%d weak passwords were hashed", n)
	}
}

// PW-23: Short and common passwords are refused when set; pasting works.
func TestHash_AcceptsOtherPasswords(t *testing.T) {
	d := newChecker(t, nil, credential.Config{Issuer: "https://login.acme.example.com"})
	for _, password := range []string{
		"10 chars !", "only lower case letters", "日本語の長いパスワード", strings.Repeat("\U0001f511\U0001f512\U0001f513\U0001f510", 256),
		strings.Repeat("e\u0301abc", 256), "al.weatherwax@example.com, more", "   8 outer spaces   ", "al weatherwax knits", "acme makes anvils", "a password of words", "password sunshine", "p a s s w o r k s", "summer passes", "correct horse battery staple", "кирпичный дом",
	} {
		hash, err := d.Hash(t.Context(), password, storage.User{Email: "al.weatherwax@example.com", Name: "Al"})
		if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=8,t=1,p=1$") {
			t.Errorf("%.30q: got %q, %v", password, hash, err)
		}
	}
}

// Without this form, the search for a password in the list would miss entries.
func TestCommonList_IsFoldedAndSorted(t *testing.T) {
	entries, previous := 0, ""
	for line := range strings.Lines(credential.CommonList) {
		entry := strings.TrimSuffix(line, "\n")
		if entry <= previous || len(entry) < credential.MinCommonLength || credential.Fold(entry) != entry {
			t.Errorf("%q after %q", entry, previous)
		}
		if !credential.IsListed(entry) {
			t.Errorf("%q is not found", entry)
		}
		if entries++; credential.IsListed(previous+"\x00") || credential.IsListed(entry[1:]+"\x00") {
			t.Errorf("an entry beside %q is found", entry)
		}
		previous = entry
	}
	if entries < 50_000 {
		t.Errorf("%d entries", entries)
	}
	for _, text := range []string{"", "\n", "zzzzzzzzzzzzzzzzzzzzz", "password\npassword"} {
		if credential.IsListed(text) {
			t.Errorf("%q is found", text)
		}
	}
}

// The embedded list must have the licence of its source beside it.
func TestCommonList_NoticeNamesItsSource(t *testing.T) {
	program, err := os.ReadFile("commonlist.go")
	if err != nil {
		t.Fatal(err)
	}
	notice, err := os.ReadFile("../../NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	source := regexp.MustCompile(`source\s+= "(.*)@(.*)"`).FindSubmatch(program)
	if source == nil {
		t.Fatal("commonlist.go names no source")
	}
	if want := fmt.Sprintf("%s %s", source[1], source[2]); !strings.Contains(string(notice), want) {
		t.Errorf("NOTICE does not name %s", want)
	}
}

func TestHash_MinLengthIsConfigurable(t *testing.T) {
	for length, password := range map[int]string{8: "8 chars!", 15: "15 characters!!"} {
		d := newChecker(t, nil, credential.Config{MinLength: length})
		if _, err := d.Hash(t.Context(), password, storage.User{}); err != nil {
			t.Errorf("%q: %v", password, err)
		}
		if _, err := d.Hash(t.Context(), password[1:], storage.User{}); !errors.Is(err, credential.ErrWeak) || !strings.Contains(err.Error(), fmt.Sprintf("at least %d characters", length)) {
			t.Errorf("%q: got %v", password[1:], err)
		}
		if d.MinLength() != length {
			t.Errorf("MinLength: got %d, want %d", d.MinLength(), length)
		}
	}
}

func TestHash_SamePasswordHasDifferentHashes(t *testing.T) {
	d := newChecker(t, nil, credential.Config{})
	first, err := d.Hash(t.Context(), right, storage.User{})
	if err != nil {
		t.Fatal(err)
	}
	if second, err := d.Hash(t.Context(), right, storage.User{}); err != nil || second == first {
		t.Errorf("two hashes are the same (%v)", err)
	}
}

// This is the only test with the default costs.
func TestHash_DefaultCosts(t *testing.T) {
	p := credential.New(credential.Config{DB: storagetest.SQLite(t).Open(t)})
	hash, err := p.Hash(t.Context(), right, storage.User{})
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %q, %v", hash, err)
	}
}

func TestNew_LimitsCostsToVerifiableOnes(t *testing.T) {
	for name, params := range map[string]credential.Params{
		"too little": {Memory: 1, Time: 1, Threads: 2},
		"some":       {Memory: 64, Threads: 200, Time: 1},
	} {
		d := newChecker(t, storagetest.SQLite(t).Open(t), credential.Config{Params: params})
		d.user(t, "alice@example.com")
		if _, err := d.check(t, "alice@example.com", right); err != nil {
			t.Errorf("%s: our own hash is not accepted: %v", name, err)
		}
	}
}
