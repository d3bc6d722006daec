package exit

import (
	"context"
	"errors"
	"slices"
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

// The numbers that the process ends with. Scripts rely on them. Each number is also the Code
// of all causes of its kind that have no code of their own.
const (
	OK          = 0
	Failure     = 1 // any failure without its own number
	Usage       = 2 // the command line is malformed
	Config      = 3 // a setting is missing or wrong
	NotFound    = 4 // the named object does not exist
	Conflict    = 5 // the object exists already, or was changed meanwhile
	Denied      = 6 // a rule refuses the command
	Unreachable = 7 // the database, or an upstream, does not answer
	Findings    = 8 // a check found differences
)

// Code is the cause of a failure. The table gives each code a stable name and the number that
// the process ends with.
type Code int

// The causes that have their own code.
const (
	AddressReserved Code = iota + 100
	AddressUnproven
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
	KeyClient
	LastAdministrator
	LastWayIn
	LinkDead
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
	PasskeysLost
	ProgramTooOld
	PublicClient
	RegistrationRefused
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
	SubjectTaken
	WeakPassword
)

// Row is one row of the table of exit codes.
type Row struct {
	Code    Code
	Name    string // stable; printed before the error if Number is Denied
	Number  int    // the number that the process ends with
	Meaning string

	matches func(error) bool // reports whether an error has this cause; nil: only commands set the code
	next    string           // the next step, unless a command gives a better one
}

// Rows returns the table, in the order of the numbers.
func Rows() []Row { return table }

func is(targets ...error) func(error) bool {
	return func(err error) bool {
		return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
	}
}

func hasType[E error](err error) bool {
	_, found := errors.AsType[E](err)
	return found
}

// table is the only table of exit codes. If several rows match an error, the first counts. So
// the row of an error stands above the row of an error that it wraps.
var table = []Row{
	{Failure, "failure", Failure, "any failure without another code", nil, "fix the problem above, then try again"},
	{Interrupted, "interrupted", Failure, "the command was interrupted", is(context.Canceled), "run the command again"},
	{NoSpace, "no_space", Failure, "the disk that the command writes to is full", isOutputFull, "free some space, then try again"},
	{DatabaseDamaged, "database_damaged", Failure, "the database file is damaged", nil, "stop the server and restore the last good backup"},
	{NotOpened, "not_opened", Failure, "an encrypted value was altered, or encrypted with another master key", is(vault.ErrNotOpened), "check that master_key belongs to this database"},
	{TokenInvalid, "token_invalid", Failure, "a token was not issued by this server", is(keys.ErrInvalid), "get a new token"},
	{UpstreamUntrusted, "upstream_untrusted", Failure, "the answer of an upstream cannot be trusted", is(federation.ErrUntrusted), "find the cause with: signet connector check"},
	{NotJSON, "not_json", Failure, "a document is not a single valid JSON value", is(foreign.ErrJSON), "fix the document, then try again"},

	{Usage, "usage", Usage, "the command line is malformed: an unknown flag, a value that does not parse, a missing argument", nil, "see: signet --help"},
	{AmbiguousName, "ambiguous_name", Usage, "a name matches several objects", nil, "use a longer or more exact name"},

	{Config, "setting", Config, "a setting is missing or wrong", isSettingError, "fix the settings listed above, then try again"},
	{MasterKey, "master_key", Config, "the master key does not belong to this database", is(vault.ErrMasterKey), "set the master_key of this database, or restore its file from your backup"},
	{MasterKeyMissing, "master_key_next", Config, "the new master key is missing", is(keeper.ErrNoNewMasterKey), "set master_key_next"},
	{DatabaseLogin, "database_login", Config, "PostgreSQL rejects the user name or the password", is(storage.ErrLoginRefused), "fix the user name and the password in the setting database"},
	{KeyModule, "key_module", Config, "the PKCS #11 module that holds the keys cannot be used", is(vault.ErrModule), "check keys.pkcs11.module, keys.pkcs11.token and keys.pkcs11.pin, and that the token is connected and contains its keys"},
	{PasskeysLost, "passkeys_lost", Config, "passkeys could not be used any more, because they belong to another host", is(storage.ErrOtherRPID), "put the former issuer or passkeys.rp_id back, or give the passkeys up with: signet passkeys abandon"},
	{ConnectorMisconfigured, "connector", Config, "a connector is configured wrongly", is(federation.ErrMisconfigured), "find the cause with: signet connector check"},

	{NotFound, "not_found", NotFound, "the named object does not exist", is(storage.ErrNotFound, directory.ErrNoFederation), "check the name; list the existing names with the list command, such as: signet client list"},
	{NoDatabase, "no_database", NotFound, "there is no database at the place that the settings name", is(storage.ErrNoDatabase), "pass its folder with --data-dir or SIGNET_DATA_DIR, or its settings file with --config; to make a new database, run: signet migrate"},
	{UnknownKey, "unknown_key", NotFound, "there is no such key, or it cannot be used", is(keys.ErrNoKey), "list the keys with: signet keys list"},

	{NextKeyTooYoung, "next_key_too_young", Conflict, "the next key has not been published for long enough", hasType[*keeper.NextKeyTooNewError], "wait until then; in an emergency pass --now (requires 10 minutes) or --force"},
	{RevokedAlready, "revoked_already", Conflict, "the key is already revoked", is(keeper.ErrAlreadyRevoked), "list the keys with: signet keys list"},
	{UsernameTaken, "username_taken", Conflict, "another user has the same or a similar preferred_username", is(storage.ErrUsernameTaken), "choose another name"},
	{AddressReserved, "address_reserved", Conflict, "another user had the email address less than 7 days ago, and can still restore it", is(storage.ErrAddressReserved), "choose another address, wait until then, or give that user the address again with: signet user update SUB --email ADDRESS"},
	{SubjectTaken, "subject_taken", Conflict, "another user has the subject, or a client has it as its id", is(storage.ErrSubjectTaken), "choose another subject or id"},
	{Conflict, "conflict", Conflict, "an object with this name exists already, or another change came first", is(storage.ErrConflict), "choose another name, or show the existing object with the show command"},

	{LastAdministrator, "last_administrator", Denied, "the last administrator must remain", is(storage.ErrLastAdmin), "make another user an administrator first: signet user admin EMAIL"},
	{LastWayIn, "last_way_in", Denied, "the user would have no way to sign in", nil, "give the user another way to sign in first"},
	{AddressUnproven, "address_unproven", Denied, "the email address is unproven, and the account has a password, identities, sessions or tokens", is(storage.ErrUnproven), "pass --evict to delete them first, or --keep if you know that they belong to this person"},
	{NoAddress, "no_address", Denied, "the user has no email address to verify", is(storage.ErrNoAddress), "set one with --email"},
	{NoPhone, "no_phone_number", Denied, "the user has no phone number to verify", is(storage.ErrNoPhone), "set one with --phone-number"},
	{InvalidClient, "invalid_client", Denied, "a field of a client breaks a rule, or is not supported yet", is(directory.ErrInvalidClient), "fix the fields listed above"},
	{NoSigningKey, "no_signing_key", Denied, "no signing key has the algorithm", hasType[*directory.NoKeyError], "first add the algorithm to keys.algorithms on every node and restart the nodes"},
	{PublicClient, "public_client", Denied, "a public client has no secret", is(directory.ErrPublicClient), "use a client of type web or service: signet client create --help"},
	{KeyClient, "key_client", Denied, "a client with a key of its own has no secret", is(directory.ErrKeyClient), "replace the key with: signet client update CLIENT_ID --jwks FILE"},
	{RegistrationRefused, "registration_refused", Denied, "a client may not register, change or delete itself", isRegistrationRefused, "check the setting registration.mode and the token"},
	{FieldInvalid, "invalid_field", Denied, "a field of a user breaks a rule", isFieldError, "fix the field above"},
	{WeakPassword, "weak_password", Denied, "the password is too easy to guess", is(credential.ErrWeak), "choose another password"},
	{InvalidCredentials, "invalid_credentials", Denied, "wrong user name or password", is(credential.ErrWrong), "check the user name and the password"},
	{AlgorithmConfigured, "algorithm_configured", Denied, "the algorithm is still in keys.algorithms", is(keeper.ErrStillConfigured), "first remove the algorithm from keys.algorithms on every node and restart the nodes"},
	{AlgorithmInUse, "algorithm_in_use", Denied, "a client uses the algorithm", nil, "change the algorithm of the client with: signet client update CLIENT_ID --id-token-signed-response-alg ALG"},
	{TooManyKeys, "too_many_keys", Denied, "too many retired keys are still published", hasType[*keeper.TooManyRetiredError], "wait until then; to revoke a leaked key: signet keys revoke KID"},
	{NotConfirmed, "not_confirmed", Denied, "the typed confirmation does not match", nil, "type the name as shown, or pass --yes"},
	{NotABackup, "not_a_backup", Denied, "the file is not a valid Signet database", is(storage.ErrNotBackup), "use another backup; it must be a file that signet backup wrote"},
	{DatabaseInUse, "database_in_use", Denied, "another process has the database open", is(storage.ErrInUse), "stop the server, then run the command again"},
	{OwnTools, "own_tools", Denied, "PostgreSQL has its own tools for this", is(storage.ErrUsePostgresTools), "use pg_dump and pg_restore"},
	{DatabaseBehind, "database_behind", Denied, "the database has the schema of an older release", is(storage.ErrDatabaseOutdated), "make a backup, then run: signet migrate"},
	{OrphanedLog, "orphaned_log", Denied, "the database file is missing, but its write-ahead log exists", is(storage.ErrOrphanedWAL), "put the database file back, or restore a backup"},
	{ProgramTooOld, "program_too_old", Denied, "the database was written by a newer release", is(storage.ErrProgramOutdated), "install the newer release of signet, or restore a backup that is older than that release"},
	{UpstreamDenied, "upstream_denied", Denied, "the upstream did not grant the sign-in", is(federation.ErrDenied), "try again"},
	{EmailNotVerified, "email_not_verified", Denied, "the upstream sends no verified email address", is(federation.ErrNoEmail), "check the settings of the connector"},
	{UpstreamNotAllowed, "account_not_allowed", Denied, "the upstream account is not allowed to sign in here", is(federation.ErrNotAllowed), "check allowed_domains of the connector"},
	{EmailNotUsable, "invalid_email", Denied, "the text is not an email address", is(foreign.ErrEmail), "fix the email address"},
	{LinkDead, "link_dead", Denied, "the one-time link was used or replaced, or it has expired or ended", is(storage.ErrLinkDead), "make a new link"},
	{Throttled, "throttled", Denied, "too many attempts", hasType[*storage.ThrottledError], "wait, then try again"},
	{Replayed, "replayed", Denied, "the code, token or link was used before", is(storage.ErrReplayed), "start over"},
	{Revoked, "revoked", Denied, "the user, client, session or grant has ended", is(storage.ErrRevoked), "start over"},
	{Expired, "expired", Denied, "the code, token or link has expired", isExpired, "start over"},
	{Denied, "refused", Denied, "a rule refuses the command", nil, "fix the problem above, then try again"},

	{UpstreamUnreachable, "upstream_unreachable", Unreachable, "an upstream does not answer", is(federation.ErrUnreachable), "check the network and the upstream, then try again"},
	{Busy, "busy", Unreachable, "too many passwords are being checked at once", is(credential.ErrBusy), "try again in a moment"},
	{Unreachable, "unreachable", Unreachable, "the database or the server does not answer, is full, or another process locks it for too long", isUnavailable, "check that the database answers and has free space, then try again"},

	{MigrationsPending, "migrations_pending", Findings, "the database schema is older than the program", nil, "make a backup, then run: signet migrate"},
	{Findings, "findings", Findings, "a check found differences", nil, "fix the differences listed above"},
}

// settingError is an error about the settings. It is an interface because package config
// imports this package.
type settingError interface {
	error
	AboutSettings()
}

func isSettingError(err error) bool { return hasType[settingError](err) }

func isFieldError(err error) bool {
	return hasType[*directory.FieldError](err) || errors.Is(err, directory.ErrLongName)
}

func isRegistrationRefused(err error) bool {
	for _, refusal := range []error{
		directory.ErrRegistrationOff, directory.ErrRegistrationToken, directory.ErrNotOwnSecret, storage.ErrShared, storage.ErrRegistrationsFull,
	} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

func isExpired(err error) bool {
	return errors.Is(err, storage.ErrExpired) || errors.Is(err, keys.ErrExpired)
}

func isUnavailable(err error) bool {
	return errors.Is(err, storage.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

// isOutputFull reports whether the disk of a file that the command writes is full. A full
// disk of the database is ErrUnavailable instead.
func isOutputFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) && !errors.Is(err, storage.ErrUnavailable)
}

// row returns the row of the code, and that of Failure for an unknown code.
func (c Code) row() Row {
	for _, r := range table {
		if r.Code == c {
			return r
		}
	}
	return table[0]
}

// Name returns the stable name of the cause.
func (c Code) Name() string { return c.row().Name }

// Number returns the number that the process ends with.
func (c Code) Number() int { return c.row().Number }

// isSingleCause reports whether the code is that of one cause, and not of a whole kind.
func (c Code) isSingleCause() bool { return c >= AddressUnproven }
