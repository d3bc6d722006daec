package link_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/keys/keystest"
	"signet/provider/link"
	"signet/provider/web"
	"signet/storage"
)

func open(t testing.TB, at func() time.Time) (*link.Links, *keystest.Node) {
	t.Helper()
	n := keystest.Open(t, "ES256")
	return link.New(link.Config{DB: n.DB, Ring: n.Ring, Issuer: keystest.Issuer + "/auth", SendsMails: true, Now: at}), n
}

func issue(t *testing.T, links *link.Links, kind storage.LinkKind) (l storage.MailLink, sealed string) {
	t.Helper()
	l, err := links.DB.IssueLink(t.Context(), storage.LinkDraft{Kind: kind, Holder: "ada@example.com", Address: "Ada@example.com"}, keystest.Noon)
	if err != nil {
		t.Fatal(err)
	}
	address, err := links.URL(l.Ref(), l.ExpiresAt.Time())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, keystest.Issuer+"/auth/link/"+string(kind)+"?") {
		t.Fatalf("URL %s, %v", address, err)
	}
	return l, u.Query().Get(link.Parameter)
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	dead, is := errors.AsType[*storage.DeadLinkError](err)
	if want == "" && err != nil || want != "" && (!is || dead.Code != want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// RC-05: a link opens only pages of its kind, and another sealed message opens none.
func TestLinks_OpenOnlyTheirKind(t *testing.T) {
	links, n := open(t, func() time.Time { return keystest.Noon })
	kinds := []storage.LinkKind{storage.LinkReset, storage.LinkVerify, storage.LinkSignUp, storage.LinkInvitation, storage.LinkUndo, storage.LinkEnrol, storage.LinkPasskey}
	for _, kind := range kinds {
		l, sealed := issue(t, links, kind)
		for _, page := range kinds {
			got, err := links.Open(t.Context(), page, sealed)
			if page != kind {
				wantCode(t, err, "link_invalid")
			} else if err != nil || got != l {
				t.Errorf("%s: %+v, %v", kind, got, err)
			}
		}
		for _, altered := range []string{"", sealed[:len(sealed)-1], sealed + "A", strings.Repeat("A", 100), n.SealedMessage(t, "request"), l.ID} {
			_, err := links.Open(t.Context(), kind, altered)
			wantCode(t, err, "link_invalid")
		}
		if strings.Contains(sealed, l.ID) {
			t.Error("the link shows the name of its row")
		}
	}
}

// RC-18: A mail contains no short code that can be guessed: a link is a sealed message, and each
// altered character makes it invalid (ZITADEL CVE-2025-64102).
func TestLinks_CannotBeGuessed(t *testing.T) {
	links, _ := open(t, func() time.Time { return keystest.Noon })
	_, sealed := issue(t, links, storage.LinkReset)
	if len(sealed) < 64 {
		t.Errorf("a link of %d characters", len(sealed))
	}
	for i := range sealed {
		for _, c := range []byte("Ab0_-") {
			guess := []byte(sealed)
			if guess[i] == c {
				continue
			}
			guess[i] = c
			_, err := links.Open(t.Context(), storage.LinkReset, string(guess))
			wantCode(t, err, "link_invalid")
		}
	}
	if _, err := links.Open(t.Context(), storage.LinkReset, sealed); err != nil {
		t.Error(err)
	}
}

func TestLinks_Expire(t *testing.T) {
	now := keystest.Noon
	links, _ := open(t, func() time.Time { return now })
	for kind, life := range map[storage.LinkKind]time.Duration{
		storage.LinkReset: 30 * time.Minute, storage.LinkVerify: 24 * time.Hour, storage.LinkSignUp: 24 * time.Hour,
		storage.LinkInvitation: 7 * 24 * time.Hour, storage.LinkUndo: 7 * 24 * time.Hour, storage.LinkEnrol: 30 * time.Minute, storage.LinkPasskey: 30 * time.Minute,
	} {
		now = keystest.Noon
		_, sealed := issue(t, links, kind)
		now = keystest.Noon.Add(life - time.Millisecond)
		_, err := links.Open(t.Context(), kind, sealed)
		wantCode(t, err, "")
		now = keystest.Noon.Add(life)
		_, err = links.Open(t.Context(), kind, sealed)
		wantCode(t, err, "link_expired")
		if life > storage.LongestLinkLife {
			t.Errorf("%s lives longer than the secrets that seal links", kind)
		}
	}
}

// A link is sealed at each try of its mail. Each of them opens the row, and a newer link of the
// kind makes all of them invalid.
func TestLinks_NewerOneReplaces(t *testing.T) {
	links, _ := open(t, func() time.Time { return keystest.Noon })
	l, first := issue(t, links, storage.LinkReset)
	again, err := links.URL(l.Ref(), l.ExpiresAt.Time())
	if err != nil || strings.HasSuffix(again, first) {
		t.Fatalf("%s, %v: want another sealed text", again, err)
	}
	_, newer := issue(t, links, storage.LinkReset)
	_, err = links.Open(t.Context(), storage.LinkReset, first)
	wantCode(t, err, "link_replaced")
	_, err = links.Open(t.Context(), storage.LinkReset, newer)
	wantCode(t, err, "")
}

// A dead link is a page with the reason and the way on. Without mails, no way on needs one. Other
// errors stay.
func TestLinks_DeadOneIsAPageWithAWayOn(t *testing.T) {
	links, _ := open(t, func() time.Time { return keystest.Noon })
	needMails := map[string]bool{"/auth/reset": true, "/auth/signup": true}
	for code, status := range map[string]int{"link_invalid": 400, "link_used": 410, "link_replaced": 410, "link_expired": 410, "link_ended": 410, "link_address_taken": 410} {
		for _, kind := range []storage.LinkKind{storage.LinkReset, storage.LinkVerify, storage.LinkSignUp, storage.LinkInvitation, storage.LinkUndo, storage.LinkEnrol, storage.LinkPasskey} {
			p, is := errors.AsType[*web.Problem](links.Problem(&storage.DeadLinkError{Kind: kind, Code: code}))
			if !is || p.Status != status || p.Code != code || p.Text.IsZero() || !strings.HasPrefix(p.StartURL, "/auth/") || p.StartText.IsZero() {
				t.Errorf("%s of %s: %+v", code, kind, p)
			}
			silent := link.New(link.Config{DB: links.DB, Ring: links.Ring, Issuer: links.Issuer, Now: links.Now})
			p, is = errors.AsType[*web.Problem](silent.Problem(&storage.DeadLinkError{Kind: kind, Code: code}))
			if !is || p.Code != code || p.Text.IsZero() || p.StartText.IsZero() || needMails[p.StartURL] {
				t.Errorf("without mails, %s of %s: %+v", code, kind, p)
			}
		}
	}
	if err := links.Problem(storage.ErrUnavailable); err != storage.ErrUnavailable {
		t.Errorf("another error: %v", err)
	}
	if err := links.Problem(nil); err != nil {
		t.Errorf("no error: %v", err)
	}
}

// RC-10: three mails to an address, twenty for a network and 200 for an IPv6 /48 in 15 minutes; the keys contain no
// address.
func TestLinks_LimitsAreForAddressAndNetwork(t *testing.T) {
	links, _ := open(t, func() time.Time { return keystest.Noon })
	limits, err := links.Limits("ada@example.com", "2001:db8::1")
	want := []storage.Limit{
		{Key: "mailnet:2001:db8::/64", Max: 20, Window: 15 * time.Minute}, {Key: "mailnet:2001:db8::/48", Max: 200, Window: 15 * time.Minute},
		{Max: 3, Window: 15 * time.Minute},
	}
	if err != nil || len(limits) != len(want) {
		t.Fatalf("limits %+v, %v", limits, err)
	}
	want[2].Key = limits[2].Key
	if !slices.Equal(limits, want) || strings.Contains(limits[2].Key, "ada") || !strings.HasPrefix(limits[2].Key, "mail:") {
		t.Errorf("limits %+v, want %+v", limits, want)
	}
}

func FuzzOpen(f *testing.F) {
	links, _ := open(f, func() time.Time { return keystest.Noon })
	l, err := links.DB.IssueLink(f.Context(), storage.LinkDraft{Kind: storage.LinkReset, Holder: "ada@example.com"}, keystest.Noon)
	if err != nil {
		f.Fatal(err)
	}
	address, err := links.URL(l.Ref(), l.ExpiresAt.Time())
	if err != nil {
		f.Fatal(err)
	}
	_, sealed, _ := strings.Cut(address, "?link=")
	f.Add(sealed)
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := links.Open(t.Context(), storage.LinkReset, text)
		if (err == nil) != (text == sealed) || err != nil && !errors.Is(err, storage.ErrLinkDead) || err == nil && got.ID != l.ID {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	})
}
