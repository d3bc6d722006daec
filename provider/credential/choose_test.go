package credential_test

import (
	"errors"
	"strings"
	"testing"

	"signet/provider/credential"
	"signet/storage"
	"signet/storage/storagetest"
)

// PW-23: Breached, context and too-short passwords; paste blocked.
func TestPasswords_WeakPasswordsAreRefusedWithWhatToChange(t *testing.T) {
	d := openDesk(t, nil, credential.Config{})
	user := storage.User{Email: "Al.Weatherwax@Example.com", EmailCanonical: "al.weatherwax@example.com"}
	for _, weak := range []struct{ password, says string }{
		{"", "at least 8"},
		{"short12", "at least 8"},
		{"cafe\u0301!?.", "at least 8"}, // seven characters once composed
		{strings.Repeat("a", 1025), "at most 1024"},
		{"with\x00zero byte", "at most 1024 characters, all of them text"},
		{"not\xffutf8 at all", "all of them text"},
		{"al.weatherwax@example.com", "not the e-mail address"},
		{"AL.WEATHERWAX@EXAMPLE.COM", "not the e-mail address"},
		{"al.weatherwax", "not the e-mail address"},
		{"Al.Weatherwax", "not the e-mail address"},
		{"password", "another"},
		{"PassWord1", "another"},
		{"12345678", "another"},
		{"correcthorsebatterystaple", "another"},
	} {
		hash, err := d.Hash(t.Context(), weak.password, user)
		if !errors.Is(err, credential.ErrWeak) || hash != "" {
			t.Errorf("%.30q: got %q, %v", weak.password, hash, err)
			continue
		}
		if !strings.Contains(err.Error(), weak.says) {
			t.Errorf("%.30q: %q does not say %q", weak.password, err, weak.says)
		}
		reason := strings.TrimPrefix(err.Error(), credential.ErrWeak.Error())
		if weak.password != "" && strings.Contains(reason, weak.password) {
			t.Errorf("%q quotes the password", err)
		}
	}
	if n := d.hashes.Load(); n != 0 {
		t.Errorf("%d weak passwords were hashed", n)
	}
}

// PW-23: Breached, context and too-short passwords; paste blocked.
func TestPasswords_OtherPasswordsAreTaken(t *testing.T) {
	d := openDesk(t, nil, credential.Config{})
	for _, password := range []string{
		"8 chars!", "only lower case letters", "日本語のパスワード", strings.Repeat("\U0001f511", 1024),
		strings.Repeat("e\u0301", 1024), "al.weatherwax@example.com, more", "   8 spaces   ",
	} {
		hash, err := d.Hash(t.Context(), password, storage.User{Email: "al.weatherwax@example.com"})
		if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=8,t=1,p=1$") {
			t.Errorf("%.30q: got %q, %v", password, hash, err)
		}
	}
}

func TestHash_SamePasswordNeverLooksTheSame(t *testing.T) {
	d := openDesk(t, nil, credential.Config{})
	first, err := d.Hash(t.Context(), right, storage.User{})
	if err != nil {
		t.Fatal(err)
	}
	if second, err := d.Hash(t.Context(), right, storage.User{}); err != nil || second == first {
		t.Errorf("two hashes are the same (%v)", err)
	}
}

// The one test that pays the real price.
func TestHash_DefaultCosts(t *testing.T) {
	p := credential.New(credential.Config{DB: storagetest.SQLite(t).Open(t)})
	hash, err := p.Hash(t.Context(), right, storage.User{})
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %q, %v", hash, err)
	}
}

func TestNew_CostsStayWithinWhatIsVerified(t *testing.T) {
	for name, params := range map[string]credential.Params{
		"too little": {Memory: 1, Time: 1, Threads: 2},
		"some":       {Memory: 64, Threads: 200, Time: 1},
	} {
		d := openDesk(t, storagetest.SQLite(t).Open(t), credential.Config{Params: params})
		d.user(t, "alice@example.com")
		if _, err := d.check(t, "alice@example.com", right); err != nil {
			t.Errorf("%s: the hash we made is not taken back: %v", name, err)
		}
	}
}
