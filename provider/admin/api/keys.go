package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"signet/provider/keys"
	"signet/provider/keys/keeper"
	"signet/provider/web"
	"signet/storage"
)

// keyOperations lists the operations on signing keys.
func (h *Handler) keyOperations() []operation {
	key := func(o operation) operation {
		o.tag, o.scope = "keys", storage.ScopeAdminKeys
		return o
	}
	text := func(about string) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Description: about} }
	return []operation{
		key(operation{
			methods: "GET|HEAD", path: "/admin/api/v1/keys", id: "list-keys", summary: "List the signing keys with their schedule, without the private keys",
			reads: true, parameters: []parameter{{name: "all", kind: flag, about: "true: also keys that are no longer used"}}, result: reflect.TypeFor[page[keeper.KeyDocument]](), serve: h.listKeys,
		}),
		key(operation{
			methods: "POST", path: "/admin/api/v1/keys/rotate", id: "rotate-keys", summary: "Let the next keys sign, and make new next keys",
			body: object(map[string]*huma.Schema{
				"alg":   text("rotate only this algorithm; internal rotates the internal secrets"),
				"force": boolean("accept a next key that has not been published for long enough; clients with cached keys may refuse tokens until they fetch the JWKS again"),
			}),
			result: reflect.TypeFor[rotatedKeys](), errors: []int{http.StatusConflict}, serve: h.rotateKeys,
		}),
		key(operation{
			methods: "POST", path: "/admin/api/v1/keys/{kid}/revoke", id: "revoke-key", summary: "Revoke a leaked key at once: everything that it has signed is refused",
			body:   object(map[string]*huma.Schema{"reason": text("for the audit event")}),
			result: reflect.TypeFor[keeper.RevocationDocument](), errors: []int{http.StatusNotFound, http.StatusConflict}, serve: h.revokeKey,
		}),
	}
}

func (h *Handler) listKeys(c *call) (reply, error) {
	rows, err := h.DB.Keys(c.Context())
	if err != nil {
		return reply{}, err
	}
	p := page[keeper.KeyDocument]{Items: []keeper.KeyDocument{}}
	for _, k := range h.Keys.Life().Schedule(rows, h.Now()) {
		if k.State != storage.KeyGone || c.query.flag("all") {
			p.Items = append(p.Items, keeper.DescribeKey(k))
		}
	}
	return reply{body: p}, nil
}

// rotatedKeys is the result of rotate-keys.
type rotatedKeys struct {
	Rotated []keeper.RotationDocument `json:"rotated"`
}

func (h *Handler) rotateKeys(c *call) (reply, error) {
	wait := h.Keys.Life().PublishBefore
	if c.is("force") {
		wait = 0
	}
	var lines []string
	if alg, named := c.members["alg"].(string); named {
		lines = []string{alg}
	}
	done, err := h.Keys.Rotate(c.Context(), lines, wait, storage.By{From: c.origin(), At: h.Now()})
	if err != nil {
		return reply{}, keyError(err, "alg")
	}
	p := rotatedKeys{Rotated: []keeper.RotationDocument{}}
	for _, r := range done {
		p.Rotated = append(p.Rotated, keeper.DescribeRotation(r))
	}
	return reply{body: p}, nil
}

// keyError adds the code and the times of a refusal. field names the member with the algorithm.
func keyError(err error, field string) error {
	early, tooEarly := errors.AsType[*keeper.NextKeyTooNewError](err)
	crowded, tooMany := errors.AsType[*keeper.TooManyRetiredError](err)
	switch {
	case tooEarly:
		return web.Because("next_key_too_young", fmt.Errorf("%w: it may sign from %s on, or with force", early, early.MaySignFrom.UTC().Format(time.RFC3339)))
	case tooMany:
		return web.Because("too_many_keys", fmt.Errorf("%w: this is possible from %s on", crowded, crowded.Until.UTC().Format(time.RFC3339)))
	case errors.Is(err, keys.ErrNoKey):
		return &fieldError{field, web.Because("unknown_key", err)}
	case errors.Is(err, keeper.ErrAlreadyRevoked):
		return web.Because("revoked_already", err)
	case errors.Is(err, storage.ErrConflict):
		return web.Because("conflict", errors.New("another rotation or revocation came first, and nothing was changed: list the keys"))
	}
	return err
}

func (h *Handler) revokeKey(c *call) (reply, error) {
	id := c.PathValue("kid")
	known, err := h.keyExists(c.Context(), id)
	if err != nil {
		return reply{}, err
	}
	if !known {
		return reply{}, storage.ErrNotFound
	}
	reason, _ := c.members["reason"].(string)
	done, err := h.Keys.Revoke(c.Context(), id, reason, storage.By{From: c.origin(), At: h.Now()})
	if err != nil {
		return reply{}, keyError(err, "")
	}
	rows, err := h.DB.Keys(c.Context())
	if err != nil {
		return reply{}, err
	}
	after, _ := h.Keys.Life().Aftermath(rows, id)
	return reply{body: keeper.DescribeRevocation(after, done.Made)}, nil
}

func (h *Handler) keyExists(ctx context.Context, id string) (bool, error) {
	rows, err := h.DB.Keys(ctx)
	for _, k := range rows {
		if k.ID == id {
			return true, nil
		}
	}
	return false, err
}
