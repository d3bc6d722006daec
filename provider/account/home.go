package provider

import (
	"net/http"

	"signet/templates"
)

// home shows who is signed in at the issuer itself.
func (p *Provider) home(w http.ResponseWriter, r *http.Request) error {
	page := templates.Home{Common: p.site.Common(), DemoPath: p.DemoPath, Account: p.base + "/account"}
	current, err := p.visits.SignedIn(r)
	switch {
	case err != nil:
		return err
	case current != nil:
		page.User = &templates.Person{Name: current.User.Name, Email: current.User.Email}
		page.SignOut = p.base + "/end_session"
	}
	return p.site.Show(w, page)
}
