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
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/web"
	"signet/storage"
)

// CodeRemembered is how long a spent code stays stored after its expiry. Until then, a
// replay of the code still ends the grant.
const CodeRemembered = 24 * time.Hour

// authorizationCode is the content of a sealed code. Nothing is stored before the client
// redeems the code. auth_time, acr and amr are the values of the session at the time of the
// authorization.
type authorizationCode struct {
	ID        string          `json:"i"` // differs between the codes of one request
	RequestID string          `json:"r"` // redeeming a code spends its request
	ClientID  string          `json:"c"`
	Redirect  string          `json:"u"` // hash of the redirect URI; in codes of former versions the URI itself
	UserID    string          `json:"s"`
	SessionID string          `json:"d"`
	AuthTime  storage.Millis  `json:"t"`           // 0: unknown
	Stated    storage.Millis  `json:"h,omitempty"` // auth_time of the ID token, if it differs from AuthTime
	ACR       string          `json:"a"`
	AMR       []string        `json:"m"`
	Nonce     string          `json:"n,omitempty"`
	Scopes    []string        `json:"o"`
	Resources []string        `json:"e,omitempty"`
	Claims    json.RawMessage `json:"l,omitempty"`
	Challenge string          `json:"g,omitempty"`
	Issued    storage.Millis  `json:"w"`
	Front     string          `json:"f,omitempty"` // ID of the grant of the tokens beside the code; "": none
}

// sealCode returns the code as the client receives it. Nothing is written to the database; the
// first row is written when the client redeems the code.
func (h *Handler) sealCode(c authorizationCode, at time.Time) (string, error) {
	payload, err := c.encode()
	if err != nil {
		return "", err
	}
	code, err := h.Ring.Seal("code", payload, at.Add(h.CodeLife))
	if err != nil {
		return "", fmt.Errorf("seal code: %w", err)
	}
	return code, nil
}

// newCode returns the code for a request that a session has authorized. The acr of s is the one that
// its tokens state.
func newCode(q request.Request, s storage.Session, stated storage.Millis, at time.Time) authorizationCode {
	return authorizationCode{
		ID: rand.Text(), RequestID: q.ID, ClientID: q.ClientID, Redirect: hashOfURI(q.RedirectURI), UserID: s.UserID, SessionID: s.ID,
		AuthTime: s.AuthTime, Stated: stated, ACR: s.ACR, AMR: s.AMR,
		Nonce: q.Nonce, Scopes: q.Scopes, Resources: q.Resources, Claims: q.Claims, Challenge: q.Challenge, Issued: storage.At(at),
	}
}

// compactFrom is the size in bytes above which a code is compressed. Most codes are smaller.
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

// codeOverhead is an upper bound, in characters, for a code without nonce and claims plus
// the parameter names and separators of the response.
const codeOverhead = 1000

// sizeOfTokens estimates the length, in characters, of the tokens in a response. The claims of a
// user may make them longer; respond checks that.
func sizeOfTokens(t storage.ResponseType) int {
	size := 0
	if t.Token {
		size += 900
	}
	if t.IDToken {
		size += 1100
	}
	return size
}

// longestCode returns the length, in characters, of the longest code that can answer q.
func (h *Handler) longestCode(q request.Request) (int, error) {
	id := storage.UserPrefix + strings.Repeat("7Q", 16) // compression does not shorten random characters
	latest := storage.Millis(math.MaxInt64)
	code := newCode(q, storage.Session{UserID: id, ID: id, AuthTime: latest, ACR: strings.Repeat("a", 64), AMR: []string{"pwd", "otp", "mfa", "hwk", "fed"}}, latest, h.Now())
	if q.Type().InFrontChannel() {
		code.Front = id
	}
	payload, err := code.encode()
	return keys.SealedSize(len(payload)) + 32, err
}

// hashOfURI returns the hash that a code contains instead of the redirect URI. The response
// URL already contains the redirect URI and would be too long with it twice.
func hashOfURI(uri string) string {
	sum := sha256.Sum256([]byte(uri))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// codeGrant serves grant_type=authorization_code (RFC 6749, section 4.1.3).
//
// It checks the client, the redirect URI and the verifier before it writes anything. A
// wrong verifier from the right client spends the code, because the code has leaked. It
// revokes no tokens, because a person without the verifier must not be able to end the
// tokens of somebody else.
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
	refusal := storage.CodeRefusal{RequestID: code.RequestID, CodeID: code.ID, SpentUntil: storage.At(at.Add(h.CodeLife + CodeRemembered)), FrontGrant: code.Front}
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
		// The code is spent, so that a replay of a redeemed code is still detected.
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
		Grant: h.newGrant(code, rights, at), FrontGrant: code.Front, From: by.From,
	}, at)
	if err != nil {
		return tokenResponse{}, err
	}
	return newTokenResponse(h.Tokens.Issue(ctx, client, grant, issuance, at))
}

// checkIssuedTo returns errForeignCode if the code was issued to another client or for
// another redirect URI, or if the redirect URI is no longer registered.
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

// verifierError is the error for a verifier that does not match. Its cause tells a missing
// verifier and a missing challenge apart, for the log.
func verifierError(challenge, verifier string) error {
	switch {
	case challenge == "":
		return web.Because("verifier_without_challenge", errVerifier)
	case verifier == "":
		return web.Because("verifier_missing", errVerifier)
	}
	return errVerifier
}

// openCode opens a sealed code. keys.ErrInvalid: the code is damaged, or this provider
// has not issued it. keys.ErrExpired: the code has expired; its content is returned too.
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

// remainingRights returns the rights of a code that the client may still have.
//
// flow.ErrNothingLeft: there are none, or the code is not bound to its sign-in without the
// lost rights. flow.ErrResourcesLost: the client has lost all resources of the code.
func (c authorizationCode) remainingRights(client storage.Client) (request.Rights, error) {
	rights, err := flow.NarrowToClient(request.Rights{Scopes: c.Scopes, Resources: c.Resources, Claims: c.Claims}, client)
	if err == nil && !codeIsBound(client, c.Challenge, c.Nonce, rights.Scopes) {
		err = flow.ErrNothingLeft
	}
	return rights, err
}

// newGrant returns the grant that a code opens. rights are the remaining rights of the code.
func (h *Handler) newGrant(code authorizationCode, rights request.Rights, at time.Time) storage.Grant {
	g := h.grantOf(rights, at)
	g.UserID, g.ClientID, g.SessionID = code.UserID, code.ClientID, code.SessionID
	g.AuthTime, g.StatedAt, g.ACR, g.AMR = code.AuthTime, code.Stated, code.ACR, code.AMR
	return g
}

// grantOf returns a new grant of these rights with its lifetimes, without user and client.
func (h *Handler) grantOf(rights request.Rights, at time.Time) storage.Grant {
	offline := slices.Contains(rights.Scopes, oidc.ScopeOfflineAccess)
	idle, whole := h.Tokens.Lifetimes.Refresh, h.Tokens.Lifetimes.RefreshMax
	if offline {
		idle, whole = h.Tokens.Lifetimes.Offline, h.Tokens.Lifetimes.OfflineMax
	}
	return storage.Grant{
		ID: storage.NewTimedID(at), Offline: offline, Scopes: rights.Scopes, Resources: rights.Resources, Claims: string(rights.Claims),
		IdleFor: idle, ExpiresAt: storage.At(at.Add(whole)),
	}
}

// verifierMatches reports whether a code verifier matches the challenge of the request (RFC
// 7636, section 4.6). A verifier without a challenge does not match: an attacker has
// probably removed the challenge from the request (RFC 9700, section 4.8).
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
