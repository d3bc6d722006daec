package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/web"
	"signet/storage"
)

// CodeRemembered is how long a spent code is known past its expiry, so that a late
// replay still ends the grant.
const CodeRemembered = 24 * time.Hour

// authorizationCode is what a code seals. Nothing is stored until it is
// redeemed; auth_time, acr and amr are those of the session that was authorized.
type authorizationCode struct {
	ID        string          `json:"i"` // which of the codes of this request
	RequestID string          `json:"r"` // what is spent
	ClientID  string          `json:"c"`
	Redirect  string          `json:"u"` // hash of the redirect URI, which the client sends again; of former versions the URI itself
	UserID    string          `json:"s"`
	SessionID string          `json:"d"`
	AuthTime  storage.Millis  `json:"t"`           // 0: nobody knows
	Stated    storage.Millis  `json:"h,omitempty"` // auth_time of the ID token, if it is another
	ACR       string          `json:"a"`
	AMR       []string        `json:"m"`
	Nonce     string          `json:"n,omitempty"`
	Scopes    []string        `json:"o"`
	Resources []string        `json:"e,omitempty"`
	Claims    json.RawMessage `json:"l,omitempty"`
	Challenge string          `json:"g,omitempty"`
	Issued    storage.Millis  `json:"w"`
}

// answerCode sends a fresh code to the client. It writes nothing: a signed-in
// user costs no row until the client redeems.
func (h *Handler) answerCode(w http.ResponseWriter, q request.Request, client storage.Client, current session.Current, at time.Time) error {
	stated := current.StatedAuthTime(q.Freshness(client), at)
	if stated == current.AuthTime {
		stated = 0
	}
	payload, err := newCode(q, current.Session, stated, at).encode()
	if err != nil {
		return err
	}
	code, err := h.Ring.Seal("code", payload, at.Add(h.CodeLife))
	if err != nil {
		return fmt.Errorf("seal code: %w", err)
	}
	return h.respond(w, q, url.Values{"code": {code}})
}

// codeOf is the code that answers a request in a session.
func newCode(q request.Request, s storage.Session, stated storage.Millis, at time.Time) authorizationCode {
	return authorizationCode{
		ID: rand.Text(), RequestID: q.ID, ClientID: q.ClientID, Redirect: hashOfURI(q.RedirectURI), UserID: s.UserID, SessionID: s.ID,
		AuthTime: s.AuthTime, Stated: stated, ACR: s.ACR, AMR: s.AMR,
		Nonce: q.Nonce, Scopes: q.Scopes, Resources: q.Resources, Claims: q.Claims, Challenge: q.Challenge, Issued: storage.At(at),
	}
}

// compactFrom is the size, in bytes, from which a code is worth shortening. Most are not.
const compactFrom = 640

func (c authorizationCode) encode() ([]byte, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode code: %w", err)
	}
	if len(payload) > compactFrom {
		payload = request.Compact(payload)
	}
	return payload, nil
}

// roomOfCode is how many characters a code has beside nonce and claims, with the rest of a
// response: names and separators.
const codeOverhead = 1000

// longestCode is how many characters the longest code has that can answer a request.
func (h *Handler) longestCode(q request.Request) (int, error) {
	id := storage.UserPrefix + strings.Repeat("7Q", 16) // random characters do not get shorter
	latest := storage.Millis(math.MaxInt64)
	payload, err := newCode(q, storage.Session{UserID: id, ID: id, AuthTime: latest, ACR: strings.Repeat("a", 64), AMR: []string{"pwd", "otp", "mfa", "hwk", "fed"}}, latest, h.Now()).encode()
	return keys.SealedSize(len(payload)) + 32, err
}

// hashOfURI stands for a redirect URI in a code. Both together would not fit into one address.
func hashOfURI(uri string) string {
	sum := sha256.Sum256([]byte(uri))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// codeGrant serves grant_type=authorization_code (RFC 6749, section 4.1.3).
//
// Client, redirect URI and verifier are checked before anything is written. A
// wrong verifier from the right client spends the code, for it has leaked, and
// revokes nothing, for the one who has no verifier must not end another's tokens.
func (h *Handler) codeGrant(ctx context.Context, r tokenRequest) (tokenResponse, error) {
	client := r.client
	if r.form.Get("code") == "" {
		return tokenResponse{}, errNoCode
	}
	at := h.Now()
	code, openErr := h.openCode(r.form.Get("code"), at)
	if errors.Is(openErr, keys.ErrInvalid) {
		return tokenResponse{}, web.Because("unknown_code", openErr)
	}
	trace := web.TraceOf(ctx)
	trace.NoteClaimedRedirect(r.form.Get("redirect_uri"))
	trace.NoteGrant(storage.Grant{UserID: code.UserID, ClientID: code.ClientID, SessionID: code.SessionID})
	if err := code.checkIssuedTo(client, r.form.Get("redirect_uri")); err != nil {
		return tokenResponse{}, err
	}
	by := storage.By{From: trace.Origin(), At: at}
	refusal := storage.CodeRefusal{RequestID: code.RequestID, CodeID: code.ID, SpentUntil: storage.At(at.Add(h.CodeLife + CodeRemembered))}
	if !verifierMatches(code.Challenge, r.form.Get("code_verifier")) {
		if openErr == nil {
			if err := h.DB.SpendCode(ctx, refusal, by); err != nil && !errors.Is(err, storage.ErrReplayed) {
				return tokenResponse{}, err
			}
		}
		return tokenResponse{}, verifierError(code.Challenge, r.form.Get("code_verifier"))
	}
	refusal.RevokesReplayed = true
	if openErr != nil {
		if err := h.DB.SpendCode(ctx, refusal, by); err != nil {
			return tokenResponse{}, err
		}
		return tokenResponse{}, storage.ErrExpired
	}
	rights, err := code.remainingRights(client)
	if errors.Is(err, flow.ErrNothingLeft) {
		// Spent, so that a replay of a code that was redeemed is still noticed.
		if err := h.DB.SpendCode(ctx, refusal, by); err != nil {
			return tokenResponse{}, err
		}
	}
	if err != nil {
		return tokenResponse{}, err
	}
	issuance, err := flow.NarrowToResources(rights, r.form["resource"])
	if err != nil {
		return tokenResponse{}, err
	}
	issuance.Nonce = code.Nonce
	grant, err := h.DB.RedeemCode(ctx, storage.CodeRedemption{
		RequestID: code.RequestID, CodeID: code.ID, IssuedAt: code.Issued, SpentUntil: refusal.SpentUntil,
		Grant: h.newGrant(code, rights, at), From: by.From,
	}, at)
	if err != nil {
		return tokenResponse{}, err
	}
	return newTokenResponse(h.Tokens.Issue(ctx, client, grant, issuance, at))
}

// isOf refuses a code that was sent to another client or to another redirect URI, or to
// one that is not registered any more.
func (c authorizationCode) checkIssuedTo(client storage.Client, redirectURI string) error {
	switch {
	case c.ClientID != client.ID:
		return errForeignCode
	case c.Redirect != hashOfURI(redirectURI) && c.Redirect != redirectURI:
		return web.Because("redirect_uri_differs", errForeignCode)
	case !client.AllowsRedirect(redirectURI):
		return web.Because("redirect_uri_not_registered", errForeignCode)
	}
	return nil
}

func verifierError(challenge, verifier string) error {
	switch {
	case challenge == "":
		return web.Because("verifier_without_challenge", errVerifier)
	case verifier == "":
		return web.Because("verifier_missing", errVerifier)
	}
	return errVerifier
}

// openCode opens a code; an expired one comes with keys.ErrExpired.
func (h *Handler) openCode(sealed string, at time.Time) (authorizationCode, error) {
	var code authorizationCode
	payload, err := h.Ring.Unseal("code", sealed, at)
	if err != nil && !errors.Is(err, keys.ErrExpired) {
		return code, err
	}
	plain, expandErr := request.Expand(payload)
	if expandErr != nil || json.Unmarshal(plain, &code) != nil {
		return code, keys.ErrInvalid
	}
	return code, err
}

// left gives the rights of a code that the client may still have. flow.ErrNothingLeft:
// none, or without them the code is not bound to its sign-in; flow.ErrResourcesLost.
func (c authorizationCode) remainingRights(client storage.Client) (request.Rights, error) {
	rights, err := flow.NarrowToClient(request.Rights{Scopes: c.Scopes, Resources: c.Resources, Claims: c.Claims}, client)
	if err == nil && !codeIsBound(client, c.Challenge, c.Nonce, rights.Scopes) {
		err = flow.ErrNothingLeft
	}
	return rights, err
}

// grantOf is the grant that a code opens for the rights that are left of it.
func (h *Handler) newGrant(code authorizationCode, rights request.Rights, at time.Time) storage.Grant {
	offline := slices.Contains(rights.Scopes, oidc.ScopeOfflineAccess)
	idle, whole := h.Tokens.Lifetimes.Refresh, h.Tokens.Lifetimes.RefreshMax
	if offline {
		idle, whole = h.Tokens.Lifetimes.Offline, h.Tokens.Lifetimes.OfflineMax
	}
	return storage.Grant{
		ID: storage.NewTimedID(at), UserID: code.UserID, ClientID: code.ClientID, SessionID: code.SessionID,
		Offline: offline, Scopes: rights.Scopes, Resources: rights.Resources, Claims: string(rights.Claims),
		AuthTime: code.AuthTime, StatedAt: code.Stated, ACR: code.ACR, AMR: code.AMR,
		IdleFor: idle, ExpiresAt: storage.At(at.Add(whole)),
	}
}

// verifies checks a code verifier against the challenge of the request (RFC
// 7636, section 4.6). Where no challenge was sent, a verifier is refused too: it
// tells that the challenge was stripped on its way (RFC 9700, section 4.8).
func verifierMatches(challenge, verifier string) bool {
	if challenge == "" || verifier == "" {
		return challenge == "" && verifier == ""
	}
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(want), []byte(challenge)) == 1
}
