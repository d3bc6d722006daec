package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"signet/provider/keys"
	"signet/storage"
)

// purpose of the sealed messages. It keeps a link apart from every other message that Signet
// seals; the kind within keeps links apart from each other.
const purpose = "mail"

// Parameter is the name of the query parameter and form field that contains a sealed link.
const Parameter = "link"

// Config of Links. DB, Ring, Issuer and Now are required.
type Config struct {
	DB         *storage.DB
	Ring       *keys.Ring
	Issuer     string
	SendsMails bool // otherwise the page of a dead link names the operator as the way to another one
	Now        func() time.Time
}

// Links seals and opens links.
type Links struct{ Config }

// New returns the links of an instance.
func New(c Config) *Links { return &Links{c} }

// Path returns the path of the page that a link of the kind leads to, below the issuer.
func Path(kind storage.LinkKind) string { return "/link/" + string(kind) }

// URL seals a link. The URL is valid as long as the row and until expires, and opens the page of
// its kind. It begins with the issuer of the settings, whatever host a request named.
func (l *Links) URL(r storage.LinkRef, expires time.Time) (string, error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode link: %w", err)
	}
	sealed, err := l.Ring.Seal(purpose, payload, expires)
	if err != nil {
		return "", err
	}
	return l.Issuer + Path(r.Kind) + "?" + url.Values{Parameter: {sealed}}.Encode(), nil
}

// Open reads a sealed link of the kind and its row. It spends nothing: the storage method of the
// act does, with the name that MailLink.Ref returns.
//
// *storage.DeadLinkError: the link is used, replaced, expired or ended; its code is
// link_invalid if the text is no link of that kind.
func (l *Links) Open(ctx context.Context, kind storage.LinkKind, sealed string) (storage.MailLink, error) {
	payload, err := l.Ring.Unseal(purpose, sealed, l.Now())
	if err != nil && !errors.Is(err, keys.ErrExpired) {
		return storage.MailLink{}, invalid(kind)
	}
	var r storage.LinkRef
	if json.Unmarshal(payload, &r) != nil || r.Kind != kind {
		return storage.MailLink{}, invalid(kind)
	}
	if err != nil {
		return storage.MailLink{}, &storage.DeadLinkError{Kind: kind, Code: "link_expired"}
	}
	return l.DB.OpenMailLink(ctx, r, l.Now())
}

func invalid(kind storage.LinkKind) error {
	return &storage.DeadLinkError{Kind: kind, Code: "link_invalid"}
}

// The limits of the mails that a stranger can ask for.
const (
	perAddress = 3
	perNetwork = 20
	window     = 15 * time.Minute
)

// base returns the path of the issuer: "" or "/auth".
func (l *Links) base() string {
	u, err := url.Parse(l.Issuer)
	if err != nil {
		return ""
	}
	return u.Path
}

// Limits returns the limits of a mail to an address that anybody can ask for. They count for
// every address, known or not. Mails that tell a user of an act have no limit. address is the
// canonical form, and networkAddress that of the caller. keys.ErrNoKey.
func (l *Links) Limits(address, networkAddress string) ([]storage.Limit, error) {
	bucket, err := l.Ring.Bucket("mail to " + address)
	if err != nil {
		return nil, err
	}
	ofNetwork := storage.NetworkLimit{Max: perNetwork, Window: window}
	return append(ofNetwork.For("mailnet", networkAddress), storage.Limit{Key: "mail:" + bucket, Max: perAddress, Window: window}), nil
}
