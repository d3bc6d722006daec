package cli

import (
	"fmt"
	"os"
	"os/user"
)

// HostUser returns the operating system user who runs this program, for the audit events. After
// sudo it adds the caller of sudo. That name comes from the environment, so it can be wrong.
func (p *Program) HostUser() string {
	name := fmt.Sprintf("uid %d", os.Getuid())
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if by := p.Env["SUDO_USER"]; by != "" && by != name {
		name += " (sudo by " + by + ")"
	}
	return name
}
