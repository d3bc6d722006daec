package directory

import (
	"time"

	"signet/provider/credential"
	"signet/provider/outbound"
	"signet/storage"
)

// Deps are the dependencies of a Directory.
type Deps struct {
	DB        *storage.DB
	Issuer    string                // of this server
	Passwords *credential.Passwords // hashes new passwords
	// Algorithms are the configured signing algorithms. The first start of a server makes keys
	// for them, so clients may request them before that start.
	Algorithms []string
	// Outbound fetches the documents that a client names when it is saved.
	Outbound *outbound.Client
	// Registration are the rules for clients that register themselves.
	Registration RegistrationPolicy
	// FrontchannelLogout is the setting frontchannel_logout. If it is off, clients cannot get a
	// frontchannel_logout_uri.
	FrontchannelLogout bool
	Passkeys           bool // browsers accept passkeys at the issuer
	Now                func() time.Time
}

// Directory creates and changes clients and users. It is safe for concurrent use.
type Directory struct {
	db                 *storage.DB
	issuer             string
	passwords          *credential.Passwords
	algorithms         []string
	outbound           *outbound.Client
	registration       RegistrationPolicy
	frontchannelLogout bool
	passkeys           bool
	now                func() time.Time
}

// New returns a Directory with these dependencies.
func New(d Deps) *Directory {
	return &Directory{db: d.DB, issuer: d.Issuer, passwords: d.Passwords, algorithms: d.Algorithms, outbound: d.Outbound, registration: d.Registration, frontchannelLogout: d.FrontchannelLogout, passkeys: d.Passkeys, now: d.Now}
}

// by returns the origin of an act together with the current time.
func (d *Directory) by(from storage.Origin) storage.By { return storage.By{From: from, At: d.now()} }
