package notice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"signet/storage"
)

// UsesFrontChannel reports whether the setting frontchannel_logout is on and a client has a
// frontchannel_logout_uri. Otherwise Frames returns nothing and does not read the database.
func (o *Outbox) UsesFrontChannel() bool { return o.FrontChannel && o.Clients.HasFrontchannelLogout() }

// Frames returns the addresses that the page after a sign-out opens in iframes: the
// frontchannel_logout_uri of each enabled client of the session of this browser, with iss and sid
// (OIDC Front-Channel Logout, section 2). Sessions of other browsers get no iframe, because their
// cookies are not here. It does not limit the number of addresses.
func (o *Outbox) Frames(ctx context.Context, e EndedSessions) ([]string, error) {
	session := cmp.Or(e.SessionID, e.Browser)
	if e.UserID == "" || session == "" || !o.UsesFrontChannel() {
		return nil, nil
	}
	clients, err := o.DB.ClientsOfSession(ctx, e.UserID, session)
	if err != nil {
		return nil, fmt.Errorf("find clients of the session: %w", err)
	}
	var frames []string
	for _, id := range clients {
		client, err := o.Clients.Enabled(ctx, id)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			continue
		case err != nil:
			return nil, fmt.Errorf("read client: %w", err)
		case client.Metadata.FrontchannelLogoutURI != "":
			frames = append(frames, o.frame(client.Metadata.FrontchannelLogoutURI, session))
		}
	}
	return frames, nil
}

// frame adds iss and sid to a registered URI, whose own query stays as it is.
func (o *Outbox) frame(uri, session string) string {
	separator := "?"
	if strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + url.Values{"iss": {o.Issuer}, "sid": {session}}.Encode()
}
