package api

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"signet/provider/directory"
	"signet/storage"
)

// mailOperations lists the operations on the outbox. A caller that only reads does not see mails:
// recipient and kind say more about a person than the other resources.
func (h *Handler) mailOperations() []operation {
	mail := func(o operation) operation {
		o.tag, o.scope = "mail", storage.ScopeAdminAll
		return o
	}
	return []operation{
		mail(operation{
			methods: "GET|HEAD", path: "/admin/api/v1/mail", id: "list-mails", summary: "List the mails of the last days and their states, the newest first",
			parameters: slices.Concat([]parameter{{name: "failed", kind: flag, about: "true: only mails that were given up, or whose last try failed"}}, pageParameters),
			result:     reflect.TypeFor[page[directory.MailDocument]](), serve: h.listMails,
		}),
		mail(operation{
			methods: "POST", path: "/admin/api/v1/mail/retry", id: "retry-mails", summary: "Send mails again that failed",
			body:   object(map[string]*huma.Schema{"ids": {Type: huma.TypeArray, MinItems: new(1), Items: &huma.Schema{Type: huma.TypeString}, Description: "only these mails; without it, all that were given up"}}),
			result: reflect.TypeFor[retriedMails](), errors: []int{http.StatusNotFound}, serve: h.retryMails,
		}),
	}
}

const mailList = "mail"

func (h *Handler) listMails(c *call) (reply, error) {
	after, err := h.position(c, mailList)
	if err != nil {
		return reply{}, err
	}
	mails, err := h.DB.Mails(c.Context(), storage.MailFilter{Failed: c.query.flag("failed"), Before: after}, c.query.limit()+1)
	if err != nil {
		return reply{}, err
	}
	p, err := pageOf(h, c, mailList, mails, directory.DescribeMail, func(m storage.Mail) string { return m.ID })
	return reply{body: p}, err
}

// retriedMails is the result of retry-mails.
type retriedMails struct {
	Retried int64 `json:"retried" doc:"number of mails that are sent again"`
}

func (h *Handler) retryMails(c *call) (reply, error) {
	var ids []string
	c.setList("ids", &ids)
	retried, err := h.Directory.RetryMails(c.Context(), ids, c.origin())
	return reply{body: retriedMails{retried}}, err
}
