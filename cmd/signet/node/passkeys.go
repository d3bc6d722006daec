package node

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/storage"
)

// preparePasskeys adds a mistake if the passkeys of the database could not be used with the settings.
// It cannot tell if the database is busy or older than this program.
func preparePasskeys(ctx context.Context, read *config.Reading) {
	c := read.Config
	host, err := storage.ReadPasskeyHost(ctx, StorageConfig(c))
	if err != nil {
		return
	}
	if err := passkeyProblem(c, host.Check(c.RPID())); err != nil {
		key := "issuer"
		if c.PasskeyRPID != "" {
			key = "passkeys.rp_id"
		}
		addProblem(read, key, err)
	}
}

// passkeyProblem adds the next steps to *storage.RPIDError. It returns other errors unchanged.
func passkeyProblem(c config.Config, err error) error {
	refused, is := errors.AsType[*storage.RPIDError](err)
	if !is {
		return err
	}
	const abandon = "to give these passkeys up: signet passkeys abandon"
	keep := "set issuer to the former address again"
	if bound := refused.Host.RPID; bound != "" {
		c.PasskeyRPID = ""
		switch issuer, err := url.Parse(c.Issuer); {
		case err != nil:
		case c.RPID() == bound:
			keep = "remove the setting passkeys.rp_id"
		case c.RPID() != "" && strings.HasSuffix(strings.ToLower(issuer.Hostname()), "."+bound):
			keep = "set passkeys.rp_id to " + bound
		default:
			keep = "set issuer to an address at " + bound + " again"
		}
	}
	return exit.New(exit.PasskeysLost, refused, "to keep them, "+keep+"; "+abandon)
}
