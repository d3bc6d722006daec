package api

import (
	"encoding/json"
	"time"
)

// page is one page of a list.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"value of the parameter after for the next page; absent on the last page"`
}

// cursor is the content of next. It is sealed, because a position may be an email address, and
// because a caller must not choose it.
type cursor struct {
	List     string `json:"l"`
	Filter   string `json:"f"`
	Position string `json:"p"`
}

const (
	cursorPurpose = "admin-api-cursor"
	cursorLife    = 24 * time.Hour
)

// position returns the position after which a page begins: "" for the first page. The cursor must
// be of this list and of these filters.
func (h *Handler) position(c *call, list string) (string, error) {
	sealed := c.query.text("after")
	if sealed == "" {
		return "", nil
	}
	content, err := h.Ring.Unseal(cursorPurpose, sealed, h.Now())
	var at cursor
	if err == nil {
		err = json.Unmarshal(content, &at)
	}
	if err != nil || at.List != list || at.Filter != c.query.filter() {
		return "", because("invalid_cursor", "the cursor is not of this list")
	}
	return at.Position, nil
}

// pageOf returns a page of at most limit items, of which rows has one more if there is a next
// page.
func pageOf[R, T any](h *Handler, c *call, list string, rows []R, describe func(R) T, position func(R) string) (page[T], error) {
	limit := c.query.limit()
	p := page[T]{Items: []T{}}
	for i, row := range rows {
		if i == limit {
			break
		}
		p.Items = append(p.Items, describe(row))
	}
	if len(rows) <= limit {
		return p, nil
	}
	content, err := json.Marshal(cursor{list, c.query.filter(), position(rows[limit-1])})
	if err != nil {
		return p, err
	}
	p.Next, err = h.Ring.Seal(cursorPurpose, content, h.Now().Add(cursorLife))
	return p, err
}
