package exit

import (
	"context"
	"errors"
	"syscall"

	"signet/federation"
	"signet/federation/foreign"
	"signet/provider/credential"
	"signet/provider/directory"
	"signet/provider/keys"
	"signet/provider/keys/keeper"
	"signet/provider/keys/vault"
	"signet/storage"
)

// The numbers that a process ends with. Scripts rely on them. As a Code each also stands
// for the causes of its kind that have no code of their own.
const (
	OK          = 0
	Failure     = 1 // any failure that has no number of its own
	Usage       = 2 // the command line itself is malformed; no rule was asked
	Config      = 3 // a setting is missing or wrong
	NotFound    = 4 // nothing has that name
	Conflict    = 5 // it is there already
	Denied      = 6 // a rule refuses it
	Unreachable = 7 // the database, or an upstream, does not answer
	Findings    = 8 // a check found differences
)

// Code is the cause of a failure. The table gives it a name, which is stable, and the
// number that the process ends with.
type Code int

// The causes that have a code of their own.
const (
	AddressUnproven Code = iota + 100
	AlgorithmConfigured
	AlgorithmInUse
	AmbiguousName
	Busy
	ConnectorMisconfigured
	DatabaseBehind
	DatabaseDamaged
	DatabaseInUse
	DatabaseLogin
	EmailNotVerified
	EmailNotUsable
	Expired
	FieldInvalid
	Interrupted
	InvalidClient
	InvalidCredentials
	KeyModule
	LastAdministrator
	LastWayIn
	MasterKey
	MasterKeyMissing
	MigrationsPending
	NextKeyTooYoung
	NoAddress
	NoDatabase
	NoPhone
	NoSpace
	NoSigningKey
	NotABackup
	NotConfirmed
	NotJSON
	NotOpened
	OrphanedLog
	OwnTools
	ProgramTooOld
	PublicClient
	Replayed
	RevokedAlready
	Revoked
	Throttled
	TokenInvalid
	TooManyKeys
	UnknownKey
	UpstreamDenied
	UpstreamNotAllowed
	UpstreamUnreachable
	UpstreamUntrusted
	UsernameTaken
	WeakPassword
)

// Row is one row of the table of exit codes.
type Row struct {
	Code    Code
	Name    string // stable; what a refusal by a rule is printed with
	Number  int    // what the process ends with
	Meaning string

	is   func(error) bool // the error is of this cause; nil: only commands say so
	next string           // what to do now, where a command does not say better
}

// Rows gives the table, in the order of the numbers.
func Rows() []Row { return table }

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func as[E error](err error) bool {
	_, found := errors.AsType[E](err)
	return found
}

// table is the one table of exit codes. Of rows that recognize the same error the first
// counts: an error that wraps another stands above it.
var table = []Row{
	{Failure, "failure", Failure, "any failure that has no other code", nil, "correct what this line names, then try again"},
	{Interrupted, "interrupted", Failure, "the command was interrupted", is(context.Canceled), "run the command again"},
	{NoSpace, "no_space", Failure, "the disk that the command writes to is full", noSpace, "make room, then try again"},
	{DatabaseDamaged, "database_damaged", Failure, "the database itself is damaged", nil, "stop the server and restore the last good backup"},
	{NotOpened, "not_opened", Failure, "a sealed value was altered, or sealed under another master key", is(vault.ErrNotOpened), "check that master_key is the one of this database"},
	{TokenInvalid, "token_invalid", Failure, "a token is not one of this server", is(keys.ErrInvalid), "get a new one"},
	{UpstreamUntrusted, "upstream_untrusted", Failure, "the answer of an upstream cannot be trusted", is(federation.ErrUntrusted), "see what is wrong with: signet connector check"},
	{NotJSON, "not_json", Failure, "a document is not one plain JSON value", is(foreign.ErrJSON), "correct the document"},

	{Usage, "usage", Usage, "the command line is malformed: an unknown flag, a value that does not parse, a missing argument", nil, "see: signet --help"},
	{AmbiguousName, "ambiguous_name", Usage, "a name stands for several things", nil, "name more of it"},

	{Config, "setting", Config, "a setting is missing or wrong", ofSettings, "correct what is listed, then start again"},
	{MasterKey, "master_key", Config, "the master key is not the one of this database", is(vault.ErrMasterKey), "set the master_key of this database, or put its file back from your backup"},
	{MasterKeyMissing, "master_key_next", Config, "the master key to move to is missing", is(keeper.ErrOneMaster), "set master_key_next"},
	{DatabaseLogin, "database_login", Config, "PostgreSQL refuses the user or the password", is(storage.ErrLoginRefused), "correct the user and the password in the setting database"},
	{KeyModule, "key_module", Config, "the PKCS #11 module that holds the keys cannot be used", is(vault.ErrModule), "check keys.pkcs11.module, token and pin, and that the token is there and holds its keys"},
	{ConnectorMisconfigured, "connector", Config, "a connector is not set up right", is(federation.ErrMisconfigured), "see what is wrong with: signet connector check"},

	{NotFound, "not_found", NotFound, "nothing has that name", is(storage.ErrNotFound), "check the name; the list command of the same noun shows what is there"},
	{NoDatabase, "no_database", NotFound, "there is no database where the settings say", is(storage.ErrNoDatabase), "name its folder with --data-dir or SIGNET_DATA_DIR, or its settings with --config; to make a new one: signet migrate"},
	{UnknownKey, "unknown_key", NotFound, "there is no such key, or it cannot be used", is(keys.ErrNoKey), "look at what is there with: signet keys list"},

	{NextKeyTooYoung, "next_key_too_young", Conflict, "the next key has not been published for long enough", as[*keeper.NotRipeError], "wait until then; in an emergency: --now (10 minutes are enough) or --force"},
	{RevokedAlready, "revoked_already", Conflict, "the key is revoked already", is(keeper.ErrRevokedAlready), "look at what is there now with: signet keys list"},
	{UsernameTaken, "username_taken", Conflict, "another user has the preferred_username, or one that looks like it", is(storage.ErrUsernameTaken), "choose another"},
	{Conflict, "conflict", Conflict, "something of that name is there already, or another change was first", is(storage.ErrConflict), "choose another name, or look at what is there with the show command"},

	{LastAdministrator, "last_administrator", Denied, "one administrator must remain", is(storage.ErrLastAdmin), "make another one first: signet user admin EMAIL"},
	{LastWayIn, "last_way_in", Denied, "the user would have no way to sign in", nil, "give the user another way in first"},
	{AddressUnproven, "address_unproven", Denied, "nobody has proven the address, and something is attached to the account", is(storage.ErrUnproven), "delete it first with --evict, or keep it with --keep if you know that it is this person's"},
	{NoAddress, "no_address", Denied, "the user has no address that could be verified", is(storage.ErrNoAddress), "give one with --email"},
	{NoPhone, "no_phone_number", Denied, "the user has no phone number that could be verified", is(storage.ErrNoPhone), "give one with --phone-number"},
	{InvalidClient, "invalid_client", Denied, "a field of a client breaks a rule, or is not supported yet", is(directory.ErrInvalidClient), "correct what is listed"},
	{NoSigningKey, "no_signing_key", Denied, "no key signs with the algorithm", as[*directory.NoKeyError], "add it to keys.algorithms on every node and restart them first"},
	{PublicClient, "public_client", Denied, "the client does not authenticate, and so has no secret", is(directory.ErrPublicClient), "a client that can keep one is of type web or service: signet client create --help"},
	{FieldInvalid, "invalid_field", Denied, "a field of a user breaks a rule", ofField, "correct what is named"},
	{WeakPassword, "weak_password", Denied, "the password can be guessed", is(credential.ErrWeak), "choose another password"},
	{InvalidCredentials, "invalid_credentials", Denied, "wrong user name or password", is(credential.ErrWrong), "check both"},
	{AlgorithmConfigured, "algorithm_configured", Denied, "the algorithm is in keys.algorithms", is(keeper.ErrConfigured), "take it out of keys.algorithms on every node and restart them first"},
	{AlgorithmInUse, "algorithm_in_use", Denied, "a client asks for the algorithm", nil, "give the client another with: signet client update CLIENT_ID --id-token-signed-response-alg ALG"},
	{TooManyKeys, "too_many_keys", Denied, "so many retired keys are published that no further one may be made", as[*keeper.CrowdedError], "wait until then; a key that must not be trusted any more: signet keys revoke KID"},
	{NotConfirmed, "not_confirmed", Denied, "what was typed to confirm is not what was asked for", nil, "type it as it is shown, or give --yes"},
	{NotABackup, "not_a_backup", Denied, "the file is no sound database of Signet", is(storage.ErrNotBackup), "take another backup: it must be a file that signet backup wrote"},
	{DatabaseInUse, "database_in_use", Denied, "another process has the database open", is(storage.ErrInUse), "stop the server, then run it again"},
	{OwnTools, "own_tools", Denied, "PostgreSQL has tools of its own for this", is(storage.ErrUsePostgresTools), "use pg_dump and pg_restore"},
	{DatabaseBehind, "database_behind", Denied, "the database is of an older release", is(storage.ErrDatabaseOutdated), "make a backup, then run: signet migrate"},
	{OrphanedLog, "orphaned_log", Denied, "the database file is missing, and its log is there", is(storage.ErrOrphanedWAL), "put the database file back, or restore a backup"},
	{ProgramTooOld, "program_too_old", Denied, "the database was written by a newer release", is(storage.ErrProgramOutdated), "install the newer release of signet, or restore a backup from before it"},
	{UpstreamDenied, "upstream_denied", Denied, "the upstream did not grant the sign-in", is(federation.ErrDenied), "try again"},
	{EmailNotVerified, "email_not_verified", Denied, "the upstream gives no verified e-mail address", is(federation.ErrNoEmail), "see the settings of the connector"},
	{UpstreamNotAllowed, "account_not_allowed", Denied, "the account of the upstream is not allowed here", is(federation.ErrNotAllowed), "see allowed_domains of the connector"},
	{EmailNotUsable, "invalid_email", Denied, "the text is no e-mail address", is(foreign.ErrEmail), "correct the address"},
	{Throttled, "throttled", Denied, "too many attempts", as[*storage.ThrottledError], "wait, then try again"},
	{Replayed, "replayed", Denied, "it was used before", is(storage.ErrReplayed), "begin anew"},
	{Revoked, "revoked", Denied, "the user, client, session or grant has ended", is(storage.ErrRevoked), "begin anew"},
	{Expired, "expired", Denied, "its time is over", expired, "begin anew"},
	{Denied, "refused", Denied, "a rule refuses it", nil, "correct what this line names, then try again"},

	{UpstreamUnreachable, "upstream_unreachable", Unreachable, "an upstream does not answer", is(federation.ErrUnreachable), "check the network and the upstream, then try again"},
	{Busy, "busy", Unreachable, "too many passwords are being checked at once", is(credential.ErrBusy), "try again in a moment"},
	{Unreachable, "unreachable", Unreachable, "the database or the server does not answer, is full, or is locked by another process for too long", unavailable, "check that the database answers and has room, then try again"},

	{MigrationsPending, "migrations_pending", Findings, "the schema is older than the program", nil, "make a backup, then run: signet migrate"},
	{Findings, "findings", Findings, "a check found differences", nil, "correct what is listed"},
}

// settingError is an error about the settings. Package config stands above this one.
type settingError interface {
	error
	AboutSettings()
}

func ofSettings(err error) bool { return as[settingError](err) }

func ofField(err error) bool {
	return as[*directory.FieldError](err) || errors.Is(err, directory.ErrLongName)
}

func expired(err error) bool {
	return errors.Is(err, storage.ErrExpired) || errors.Is(err, keys.ErrExpired)
}

func unavailable(err error) bool {
	return errors.Is(err, storage.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

// noSpace is about files of the command itself: a full database is ErrUnavailable.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) && !errors.Is(err, storage.ErrUnavailable)
}

// row gives the row of a code.
func (c Code) row() Row {
	for _, r := range table {
		if r.Code == c {
			return r
		}
	}
	return table[0]
}

// Name is the stable name of the cause.
func (c Code) Name() string { return c.row().Name }

// Number is what the process ends with.
func (c Code) Number() int { return c.row().Number }

// ownCode reports whether the code stands for one cause, and not for all of a kind.
func (c Code) ownCode() bool { return c >= AddressUnproven }
