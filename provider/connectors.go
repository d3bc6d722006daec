package provider

import (
	"fmt"

	"signet/federation"
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
