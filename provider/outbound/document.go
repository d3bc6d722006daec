package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ErrStatus: the answer has another status than 200.
var ErrStatus = errors.New("status is not 200")

// Document fetches a JSON document. isForeign: another party than an operator set the address. It
// does not check that the answer is JSON.
//
// ErrStatus, ErrScheme, ErrRedirect, ErrNotPublic, ErrTooLarge, and the errors of the network.
func (c *Client) Document(ctx context.Context, address string, isForeign bool) ([]byte, error) {
	client := c.configured
	if isForeign {
		client = c.foreign
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch document: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	res, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("fetch document: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch document: %w: it is %d", ErrStatus, res.StatusCode)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("fetch document: %w", err)
	}
	return body, nil
}
