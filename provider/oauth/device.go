package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"signet/provider/flow"
	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// codesOfClient limits the device codes of one client that are opened within the life of one code.
// A stranger can use the id of a public client, so those are limited for each network too. A
// confidential client may ask for all its devices from one address.
const codesOfClient = 10_000

// userCodeAttempts is how many user codes are tried until one is free. Codes collide seldom.
const userCodeAttempts = 5

// deviceAuthorizationResponse is the answer of RFC 8628, section 3.2.
type deviceAuthorizationResponse struct {
	DeviceCode              string `json:"device_code"`
	UserCode                string `json:"user_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete"`
	ExpiresIn               int64  `json:"expires_in"` // seconds
	Interval                int64  `json:"interval"`   // seconds
}

// deviceAuthorization serves the device authorization endpoint (RFC 8628, section 3.1). It reads
// scope and resource by the rules of the authorization endpoint.
func (h *Handler) deviceAuthorization(ctx context.Context, r tokenRequest) (any, error) {
	if !slices.Contains(r.client.Metadata.GrantTypes, storage.GrantDevice) {
		return nil, errClientGrant
	}
	at := h.Now()
	q := request.Request{Kind: request.Device}
	for _, check := range []authorizationCheck{refuseRequestObjects, readScopes, readResources} {
		if refusal := check(&q, r.client, r.form); refusal != nil {
			return nil, refusal
		}
	}
	code := rand.Text() + rand.Text() // 260 bits
	opened := storage.DeviceCode{
		ID: storage.SecretHash(code), ClientID: r.client.ID, Scopes: q.Scopes, Resources: q.Resources,
		Address: web.TraceOf(ctx).Address, ExpiresAt: storage.At(at.Add(h.DeviceLife)),
	}
	// The request travels in URLs and cookies once the user has entered the code.
	fits, err := request.Fits(h.Requests.ForDevice(opened, r.client, request.NewUserCode(), storage.NewID(storage.UserPrefix), at), h.Visits.Sessions.Cookies.MaxCarriedSize())
	switch {
	case err != nil:
		return nil, err
	case !fits:
		return nil, errDeviceRequestTooLong
	}
	userCode, err := h.openDeviceCode(ctx, opened, r.client, at)
	if err != nil {
		return nil, err
	}
	page := h.Issuer + request.DeviceEntryPage
	return deviceAuthorizationResponse{
		DeviceCode: code, UserCode: userCode.String(), VerificationURI: page, VerificationURIComplete: h.Issuer + request.DeviceEntryPath(userCode),
		ExpiresIn: int64(h.DeviceLife.Seconds()), Interval: int64(storage.PollInterval.Seconds()),
	}, nil
}

// openDeviceCode stores the device code with a free user code, and returns that.
func (h *Handler) openDeviceCode(ctx context.Context, d storage.DeviceCode, client storage.Client, at time.Time) (request.UserCode, error) {
	limits := []storage.Limit{{Key: "device:" + client.ID, Max: codesOfClient, Window: h.DeviceLife}}
	if client.Public() {
		limits = append(limits, h.DeviceCodes.For("devicenet:"+client.ID, d.Address)...)
	}
	var err error
	for range userCodeAttempts {
		userCode := request.NewUserCode()
		if d.UserCode, err = h.Requests.HashUserCode(userCode); err != nil {
			return "", err
		}
		err = h.DB.OpenDeviceCode(ctx, d, limits, at)
		if throttled, over := errors.AsType[*storage.ThrottledError](err); over {
			return "", web.Because("too_many_device_codes", throttled)
		}
		if !errors.Is(err, storage.ErrConflict) {
			return userCode, err
		}
	}
	return "", err
}

// deviceGrant serves the grant type of a device (RFC 8628, section 3.4).
//
// The answer to a poll depends on the row alone. An approved code is redeemed even if the poll
// comes too early, because slowing down protects only the database.
func (h *Handler) deviceGrant(ctx context.Context, r tokenRequest) (tokenResponse, error) {
	if r.form.Get("device_code") == "" {
		return tokenResponse{}, errNoDeviceCode
	}
	at, trace := h.Now(), web.TraceOf(ctx)
	d, err := h.DB.DeviceCode(ctx, storage.SecretHash(r.form.Get("device_code")))
	if errors.Is(err, storage.ErrNotFound) {
		return tokenResponse{}, web.Because("unknown_device_code", err)
	}
	if err != nil {
		return tokenResponse{}, err
	}
	trace.NoteGrant(storage.Grant{ID: d.GrantID, UserID: d.UserID, ClientID: d.ClientID, SessionID: d.SessionID})
	switch {
	case d.ClientID != r.client.ID:
		return tokenResponse{}, errForeignDeviceCode
	case d.DeniedAt != 0:
		trace.MarkRecorded() // the event device.denied records it
		return tokenResponse{}, errDeviceDenied
	case d.IsPending(at):
		return tokenResponse{}, h.pending(ctx, d, at)
	case d.ApprovedAt == 0:
		return tokenResponse{}, errDeviceExpired
	}
	var issuance flow.Issuance
	grant, err := h.DB.RedeemDeviceCode(ctx, storage.DeviceRedemption{ID: d.ID, From: trace.Origin(), Grant: func(d storage.DeviceCode) (storage.Grant, error) {
		rights, err := flow.NarrowToClient(request.Rights{Scopes: d.Scopes, Resources: d.Resources}, r.client)
		if err != nil {
			return storage.Grant{}, err
		}
		issuance, err = flow.NarrowToResources(rights, r.form["resource"])
		return h.grantOf(rights, at), err
	}}, at)
	if errors.Is(err, storage.ErrExpired) {
		err = errDeviceExpired
	}
	if err != nil {
		return tokenResponse{}, err
	}
	return newTokenResponse(h.Tokens.Issue(ctx, r.client, grant, issuance, at))
}

// pending counts a poll for a code on which no user has decided, and returns the error for the
// device. It writes no event: devices poll every few seconds.
func (h *Handler) pending(ctx context.Context, d storage.DeviceCode, at time.Time) error {
	tooEarly, err := h.DB.CountPoll(ctx, d, at)
	if err != nil {
		return err
	}
	web.TraceOf(ctx).MarkRecorded()
	if tooEarly {
		return errSlowDown
	}
	return errAuthorizationPending
}
