package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/socket"
	"signet/provider"
	"signet/provider/keys/openssl"
	"signet/provider/keys/vault"
	"signet/storage"
)

// Prepared holds the parts of a server that are available before it starts, without creating,
// writing or calling anything.
type Prepared struct {
	Certificate *Certificate    // nil for plain http
	Module      vault.Module    // nil without PKCS #11
	RSA         *openssl.Engine // nil if Go makes the RSA signatures
	Warnings    []string        // risks of valid settings; never nil

	expiries []expiry // of certificates other than Certificate
}

// Prepare checks the settings as a start does, and adds every problem that would stop a start
// to read.Mistakes. Both `serve` and `config check` call it, so that they cannot differ.
//
// It looks at files, at the addresses of this machine, and into a SQLite database. It does not
// check conditions that change from one moment to the next: whether the port is free, whether
// PostgreSQL answers, the content of PostgreSQL, and whether an upstream answers. env is the
// environment, of which it reads the variables of PostgreSQL. passed reports that the service
// manager has passed sockets, so that the setting listen is not used.
func Prepare(ctx context.Context, read *config.Reading, now time.Time, env map[string]string, passed bool) Prepared {
	read.RequireIssuer()
	p := Prepared{}
	if files := read.Config.TLS; files.Cert != "" && files.Key != "" {
		p.Certificate = prepareCertificate(read, now)
	}
	if !passed {
		prepareListen(ctx, read)
	}
	if len(read.Mistakes) == 0 { // the other checks need valid settings
		p.Module = prepareModule(read)
		p.RSA = openRSA(read.Config)
		prepareDatabase(ctx, read, p.Module)
	}
	p.expiries = usedExpiries(read, env)
	p.Warnings = slices.Concat(read.Config.Warnings(env["PGSSLMODE"]), read.OpenFiles(), warningsOfFile(ctx, read), warningsOfRSA(p.RSA))
	if misnamed := p.Certificate.Warning(read.Config.Issuer); misnamed != "" {
		p.Warnings = append([]string{misnamed}, p.Warnings...)
	}
	p.Warnings = append(p.Warnings, p.expiryWarnings(now)...)
	return p
}

// warningsOfFile returns the risks that a SQLite database shows. It returns none if a mistake
// stops the start, or if the database is busy or older than this program, since it cannot be
// read then.
func warningsOfFile(ctx context.Context, read *config.Reading) []string {
	if c := read.Config; len(read.Mistakes) == 0 && c.Database.Reveal() == "" {
		return warningsOfClients(c)(storage.ReadClients(ctx, StorageConfig(c)))
	}
	return nil
}

// Warnings returns the risks that a PostgreSQL database shows. Prepare has looked only into
// SQLite databases.
func (n *Node) Warnings(ctx context.Context, c config.Config) []string {
	if c.Database.Reveal() == "" {
		return nil
	}
	return warningsOfClients(c)(n.db.Clients(ctx))
}

// warningsOfClients compares the settings with the clients of the database.
func warningsOfClients(c config.Config) func([]storage.Client, error) []string {
	return func(clients []storage.Client, err error) []string {
		if err != nil {
			return nil
		}
		if err := provider.CheckFirstParty(clients, c.FirstParty.ClientID); err != nil {
			return []string{err.Error()}
		}
		return nil
	}
}

func prepareCertificate(read *config.Reading, now time.Time) *Certificate {
	certificate, err := OpenCertificate(read, now)
	if wrong, ok := errors.AsType[config.Mistakes](err); ok {
		read.Mistakes = append(read.Mistakes, wrong...)
	}
	return certificate
}

// prepareListen adds a mistake if this machine does not have the address, or if no unix socket
// can be made at the path. It listens on a free port of the address for a moment, because a
// running server may use the port of the setting.
func prepareListen(ctx context.Context, read *config.Reading) {
	if path, is := socket.UnixPath(read.Config.Listen); is {
		if err := socket.CheckPlace(path); err != nil {
			read.AddMistake("listen", err)
		}
		return
	}
	host, _, err := net.SplitHostPort(read.Config.Listen)
	if err != nil {
		return // reading the setting has already added the mistake
	}
	var quick net.ListenConfig
	listener, err := quick.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err == nil {
		_ = listener.Close()
		return
	}
	var unknown *net.DNSError
	var malformed *net.AddrError
	switch {
	case errors.As(err, &unknown), errors.As(err, &malformed):
		read.AddMistake("listen", fmt.Errorf("names the host %q, which this machine cannot resolve: use 0.0.0.0:8080 or :8080 for all addresses of this machine", host))
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		read.AddMistake("listen", fmt.Errorf("names the address %s, which this machine does not have: choose an address of this machine, or 0.0.0.0:8080 or :8080 for all of them", host))
	}
}

// prepareModule loads the PKCS #11 module and opens the token.
func prepareModule(read *config.Reading) vault.Module {
	module, err := openModule(read.Config.PKCS11)
	if err == nil && module != nil {
		if err = module.Ready(); err != nil {
			err = exit.Classify(fmt.Errorf("%w: %w", vault.ErrModule, err))
		}
	}
	if err != nil {
		addProblem(read, "keys.pkcs11.module", err)
		return nil
	}
	return module
}

// addProblem adds an error with its next step to the mistakes.
func addProblem(read *config.Reading, key string, err error) {
	if problem, ok := errors.AsType[*exit.Problem](err); ok {
		err = fmt.Errorf("%w: %s", problem.Err, problem.Next)
	}
	read.AddMistakeWithCause(key, err)
}

// prepareDatabase checks that the data is in the place of the settings, and that this program
// and this master key can use it.
func prepareDatabase(ctx context.Context, read *config.Reading, module vault.Module) {
	c := read.Config
	sqlite := c.Database.Reveal() == ""
	if sqlite || c.Master.Key.Reveal() == "" {
		if err := checkFutureDataDir(c.DataDir); err != nil {
			addProblem(read, "data_dir", err)
			return
		}
	}
	if sqlite {
		if err := checkDatabaseFile(ctx, c); err != nil {
			addProblem(read, "data_dir", err)
			return
		}
	}
	if _, _, err := nextMasterKey(c); err != nil {
		addProblem(read, "master_key_next", err)
		return
	}
	if err := checkMasterKey(ctx, c, module); err != nil {
		addProblem(read, "master_key", err)
	}
	if sqlite {
		preparePasskeys(ctx, read)
	}
}

// checkFutureDataDir checks whether MakeDataDir would succeed, and whether files could be
// created in the folder.
func checkFutureDataDir(dir string) error {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		state, err := os.Stat(at)
		switch {
		case errors.Is(err, os.ErrNotExist) && at != filepath.Dir(at):
			continue
		case err != nil:
			return exit.New(exit.Config, fmt.Errorf("make data_dir %s: %s", dir, exit.WithoutPath(err)), "set data_dir to a folder that this user may write to")
		case !state.IsDir():
			return exit.New(exit.Config, fmt.Errorf("make data_dir %s: %s is not a folder", dir, at), "set data_dir to a folder that this user may write to")
		case syscall.Access(at, mayWriteAndEnter) != nil:
			return exit.New(exit.Config, fmt.Errorf("make data_dir %s: this user may not write to %s", dir, at), "create the folder yourself, or set data_dir to a folder that this user may write to")
		case at == filepath.Clean(dir):
			return checkDataDir(dir)
		}
		return nil
	}
}

// mayWriteAndEnter is W_OK and X_OK of access(2).
const mayWriteAndEnter = 2 | 1

// checkDatabaseFile checks the SQLite database, if there is one.
func checkDatabaseFile(ctx context.Context, c config.Config) error {
	name := storage.DatabaseFile(c.DataDir)
	state, err := os.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	const next = "put it back from your backup, or set data_dir to another folder"
	if err == nil && !state.Mode().IsRegular() {
		return exit.New(exit.Config, fmt.Errorf("%s is not a file", name), next)
	}
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return exit.New(exit.Config, fmt.Errorf("%s cannot be opened (%s)", name, exit.WithoutPath(err)), "let this user read and write it")
	}
	defer file.Close()
	const magic = "SQLite format 3\x00"
	header := make([]byte, len(magic))
	if n, _ := io.ReadFull(file, header); n > 0 && string(header) != magic {
		return exit.New(exit.Config, fmt.Errorf("%s is not a SQLite database", name), next)
	}
	if _, err := storage.ReadSchema(ctx, StorageConfig(c)); errors.Is(err, storage.ErrProgramOutdated) {
		return exit.Classify(err)
	}
	return nil
}

// checkMasterKey checks that there is a master key or that it can be created, and that it opens
// the keys of a SQLite database.
func checkMasterKey(ctx context.Context, c config.Config, module vault.Module) error {
	key, err := readMasterKey(c)
	missing := errors.Is(err, os.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	if c.Database.Reveal() != "" {
		return nil // no call to PostgreSQL here: serve checks it
	}
	rows, err := storage.ReadKeys(ctx, StorageConfig(c))
	if err != nil || len(rows) == 0 {
		return nil // the database is busy: serve waits for it
	}
	if missing {
		return errMasterKeyGone(filepath.Join(c.DataDir, MasterKeyFile))
	}
	opened, err := vault.New(vault.Config{Master: key, Masters: func() ([][32]byte, error) { return masterKeys(c) }, Module: module, ModuleAlgorithms: c.ModuleAlgorithms})
	if err == nil {
		_, err = opened.Open(rows)
	}
	if err != nil {
		return exit.Classify(err)
	}
	return nil
}
