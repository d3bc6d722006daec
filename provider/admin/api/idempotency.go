package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"signet/provider/web"
	"signet/storage"
)

const (
	keyHeader    = "Idempotency-Key"
	longestKey   = 255 // characters
	keyLife      = 24 * time.Hour
	callPurpose  = "admin-api-call"
	maskedMember = "secret_omitted" // replaces the secrets in a repeated answer
)

// performOnce performs a call. A POST with an Idempotency-Key acts once within a day: a further call of
// the same caller with the same path, key, parameters and body gets the first answer, without its
// secrets. A refused call is not stored, so it can be corrected.
//
// The call is reserved before the act, and storage marks it in the transaction of the act. So a call
// whose process was killed acts again only if it has not acted.
func (h *Handler) performOnce(c *call, o operation) (answer, error) {
	key, err := idempotencyKey(c.Request, o)
	switch {
	case err != nil:
		return answer{}, err
	case key == "":
		return o.perform(c)
	}
	request, err := c.requestText()
	if err != nil {
		return answer{}, err
	}
	body, err := h.Ring.Fingerprint(callPurpose, request)
	if err != nil {
		return answer{}, err
	}
	at := h.Now()
	reserved := storage.APICall{
		ID: callID(c.caller.id(), c.URL.Path, key), Body: body, Attempt: storage.NewID(""), ExpiresAt: storage.At(at.Add(keyLife)),
	}
	stored, mayAct, err := h.DB.StartCall(c.Context(), reserved, at)
	if err != nil {
		return answer{}, err
	}
	if !mayAct {
		return h.repeat(stored, request, at)
	}
	c.attempt = storage.CallAttempt{CallID: reserved.ID, Attempt: reserved.Attempt}
	return h.performReserved(c, o)
}

// performReserved performs a call with a reservation, and stores its answer. The caller may have gone
// meanwhile, so the result is stored in any case.
func (h *Handler) performReserved(c *call, o operation) (answer, error) {
	a, err := o.perform(c)
	ctx := context.WithoutCancel(c.Context())
	if err != nil {
		c.noteUnstored(h.DB.ReleaseCall(ctx, c.attempt))
		return a, err
	}
	content, err := json.Marshal(a.without(o.secrets))
	if err != nil {
		return a, err
	}
	sealed, err := h.Ring.Seal(callPurpose, content, h.Now().Add(keyLife))
	if err == nil {
		err = h.DB.FinishCall(ctx, c.attempt, sealed, c.userID, h.Now())
	}
	c.noteUnstored(err)
	return a, nil
}

// noteUnstored logs that the result of a call could not be stored. The caller gets the answer all the
// same. A repeated call does not act again, because storage has marked the act.
func (c *call) noteUnstored(err error) {
	if err != nil {
		web.TraceOf(c.Context()).Note("idempotency", err.Error())
	}
}

func (o operation) perform(c *call) (answer, error) {
	done, err := o.serve(c)
	if err != nil {
		return answer{}, err
	}
	return o.encode(done)
}

// repeat returns the answer of a stored call.
func (h *Handler) repeat(stored storage.APICall, request string, at time.Time) (answer, error) {
	same, err := h.Ring.Fingerprints(callPurpose, request)
	if err != nil {
		return answer{}, err
	}
	switch {
	case !slices.Contains(same, stored.Body):
		return answer{}, atField("key_reused", keyHeader, "another request had this key")
	case stored.IsRunning(at):
		return answer{}, atField("call_in_flight", keyHeader, "the first call with this key has not finished")
	}
	var a answer
	content, err := h.Ring.Unseal(callPurpose, stored.Answer, at)
	if err == nil {
		err = json.Unmarshal(content, &a)
	}
	if err != nil { // the process was killed after the act, or the internal key was revoked
		return answer{}, &fieldError{keyHeader, web.Because("answer_lost", err)}
	}
	return a, nil
}

// idempotencyKey returns the key of a POST; "" if there is none. Other methods may be repeated
// anyway, so they ignore it.
func idempotencyKey(r *http.Request, o operation) (string, error) {
	lines := r.Header.Values(keyHeader)
	if o.method() != http.MethodPost || len(lines) == 0 {
		return "", nil
	}
	key := lines[0]
	visible := !slices.ContainsFunc([]byte(key), func(b byte) bool { return b <= ' ' || b > '~' })
	if len(lines) > 1 || key == "" || len(key) > longestKey || !visible {
		return "", atField("invalid_header", keyHeader, "send Idempotency-Key once, with 1 to 255 visible ASCII characters")
	}
	return key, nil
}

// requestText returns parameters and body in a canonical form.
func (c *call) requestText() (string, error) {
	body, err := json.Marshal(c.members)
	return c.query.encode() + "\n" + string(body), err
}

// callID identifies the calls of a caller with this path and key.
func callID(caller, path, key string) string {
	sum := sha256.Sum256([]byte(caller + "\x00" + path + "\x00" + key))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
