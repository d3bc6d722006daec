package request

import (
	"crypto/rand"
	"fmt"
	"time"

	"signet/storage"
)

// Act is something on our own pages that an unlocked screen must not be enough for.
type Act struct {
	Name string // as templates.Wanted knows it
	Page string // path and query, below the issuer, of the page that it goes on from
	Back string // path, below the issuer, that leads back without it
}

// ProveFor seals a request that wants a proof no older than age and then leads to the
// page of the act. The page asks for a press of its button: what a form brought may wait
// only where nobody else can finish it.
func (c *Carrier) ProveFor(a Act, age time.Duration, at time.Time) (string, error) {
	seconds := int64(age / time.Second)
	sealed, err := c.Seal(Request{
		ID: rand.Text(), Kind: Page, Created: storage.At(at), Path: c.Base + a.Page, Act: a.Name, Back: c.Base + a.Back, MaxAge: &seconds,
	})
	if err != nil {
		return "", fmt.Errorf("seal request: %w", err)
	}
	return sealed, nil
}
