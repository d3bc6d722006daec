package provider

import (
	"cmp"
	"fmt"

	"signet/federation"
	"signet/provider/account"
	"signet/provider/admin"
	"signet/provider/interaction"
)

// Connector is an upstream and what the operator lets it do here.
type Connector struct {
	federation.Config
	AutoLink bool // a verified address opens the account that has proven it
	SignUp   bool // whom it vouches for gets an account
}

// connectors builds them all. It calls nobody: an upstream that is down costs its
// own button, never the start.
func (p *Provider) connectors() ([]interaction.Connector, error) {
	built := make([]interaction.Connector, 0, len(p.Connectors))
	for _, c := range p.Connectors {
		connector, err := federation.New(c.Config, p.outbound.Configured(), p.Now)
		if err != nil {
			return nil, fmt.Errorf("build connector: %w", err)
		}
		built = append(built, interaction.Connector{Connector: connector, AutoLink: c.AutoLink, SignUp: c.SignUp})
	}
	return built, nil
}

// described are they with what the operators' pages tell of their settings.
func (p *Provider) described(built []interaction.Connector) []admin.Connector {
	described := make([]admin.Connector, len(built))
	for i, c := range p.Connectors {
		described[i] = admin.Connector{
			Connector: built[i].Connector, RedirectURI: interaction.CallbackURI(p.Issuer, c.ID), ClientID: c.ClientID,
			Home: cmp.Or(c.BaseURL, c.Issuer), AllowedDomains: c.AllowedDomains, SignUp: c.SignUp, AutoLink: c.AutoLink,
		}
	}
	return described
}

// linking is what the account pages need to connect and disconnect identities.
func (p *Provider) linking(connectors []interaction.Connector) account.Linking {
	l := account.Linking{Depart: p.steps.Depart}
	for _, c := range connectors {
		l.Connectors = append(l.Connectors, c.Button())
	}
	return l
}
