package config

import (
	"io/fs"
	"iter"
	"log/slog"
	"net/netip"
	"time"

	"signet/federation"
	"signet/federation/foreign"
	"signet/provider"
	"signet/provider/directory"
	"signet/provider/keys"
	"signet/provider/keys/keeper"
	"signet/provider/mail"
	"signet/provider/webhook"
	"signet/storage"
)

// setting is one row of the table of settings.
type setting = option[Config]

// registrationModes lists the values of the setting registration.mode.
var registrationModes = []string{string(directory.RegistrationOff), string(directory.RegistrationToken), string(directory.RegistrationOpen)}

// encryptions lists the values of the setting smtp.tls.
var encryptions = []string{string(mail.StartTLS), string(mail.TLS), string(mail.None)}

// settings is the table of all settings.
var settings = []setting{
	{
		key: "issuer", unit: "URL", example: "https://id.example.com", flag: true,
		shape: matching(`^https?://[^?#@\s]*[^?#@/\s]$`),
		about: "public URL of this server; it is the issuer (iss) of all tokens; plain http only for loopback hosts",
		set:   into(func(c *Config) *string { return &c.Issuer }, parseIssuer),
	},
	{
		key: "listen", byDef: "localhost:8080", unit: "host:port, or unix:path", example: "0.0.0.0:8080", flag: true, paths: pathOfSocket, folder: true,
		shape: matching(`^unix:.+|:[0-9]{1,5}$`),
		about: "address and port to listen on, or the path of a unix socket for a proxy on this machine, such as unix:/run/signet/signet.sock; unused if systemd passes sockets",
		set:   into(func(c *Config) *string { return &c.Listen }, parseListen),
	},
	{
		key: "listen_mode", byDef: "0660", unit: "mode", example: "0666",
		shape: fileMode,
		about: "mode of the unix socket; by default, the users of Signet's group can connect",
		set:   into(func(c *Config) *fs.FileMode { return &c.ListenMode }, parseSocketMode),
	},
	{
		key: "data_dir", byDef: "signet-data", unit: "path", example: "/var/lib/signet", flag: true, paths: wholePath, folder: true,
		about: "folder of the SQLite database and of master.key; only this user, and the groups of the process, may have access (mode 0700, or 0770 with the group of a Kubernetes volume)",
		set:   into(func(c *Config) *string { return &c.DataDir }, parsePath),
	},
	{
		key: "database", unit: "URL", example: "postgres://signet@db.example.com/signet", secret: true, paths: pathsOfDatabase,
		shape: matching(`^(postgres(ql)?://.+)?$`),
		about: "PostgreSQL database that stores everything; leave it empty to use SQLite in data_dir",
		set:   into(func(c *Config) *federation.Secret { return &c.Database }, parseDatabase),
	},
	{
		key: "database_password", unit: "text", example: "the password of the PostgreSQL user", secret: true,
		about: "password of the user in database, so that its URL need not be secret; without it, the URL, PGPASSWORD or a password file of PostgreSQL counts",
		set:   into(func(c *Config) *federation.Secret { return &c.DatabasePassword }, parseSecret),
	},
	{
		key: "master_key", unit: "32 bytes, base64", example: "the output of: openssl rand -base64 32", secret: true,
		shape: matching(`^[A-Za-z0-9+/_-]{43}=?$`),
		about: "encrypts the stored private keys; if it is not set, Signet uses the file master.key in data_dir and creates it at the first start",
		set:   into(func(c *Config) *federation.Secret { return &c.Master.Key }, parseMasterKeySetting),
	},
	{
		key: "master_key_next", unit: "32 bytes, base64", example: "the output of: openssl rand -base64 32", secret: true,
		shape: matching(`^[A-Za-z0-9+/_-]{43}=?$`),
		about: "the master key that `signet keys rewrap` changes to; needed only if master_key is set",
		set:   into(func(c *Config) *federation.Secret { return &c.Master.Next }, parseMasterKeySetting),
	},
	{
		key: "cookie_name", byDef: "signet", unit: "name", example: "signet",
		shape: matching(cookieName.String()),
		about: "prefix of the cookie names; give each Signet on one host its own",
		set:   into(func(c *Config) *string { return &c.CookieName }, parseCookieName),
	},
	{
		key: "cookie_domain", unit: "domain", example: "example.com",
		shape: matching(domainName.String()),
		about: "browsers send the first-party app's access token to every host of this domain, so you must trust all of them; default: the issuer's host alone",
		set:   into(func(c *Config) *string { return &c.CookieDomain }, parseCookieDomain),
	},
	{
		key: "first_party.client_id", unit: "client id", example: "app",
		about: "client of the first-party app; default: the only client created with `--first-party`",
		set:   into(func(c *Config) *string { return &c.FirstParty.ClientID }, parseText),
	},
	{
		key: "first_party.origins", unit: "origins", example: "https://app.example.com", live: true,
		shape: listOf(matching(`^https?://[^/?#@\s]+$`)),
		about: "origins of the first-party app's pages, in addition to the issuer's own origin; plain http only for loopback hosts",
		set:   into(func(c *Config) *[]string { return &c.FirstParty.Origins }, parseOrigins),
	},
	{
		key: "first_party.audience", unit: "text without spaces", example: "https://app.example.com/api",
		shape: matching(`^[!-~]{1,255}$`),
		about: "audience (`aud`) of the first-party app's access tokens; must not be the issuer; default: the client id",
		set:   into(func(c *Config) *string { return &c.FirstParty.Audience }, parseAudience),
	},
	{
		key: "trusted_proxies", unit: "addresses or networks", example: "10.0.0.0/8, 192.0.2.7", live: true,
		shape: listOf(matching(`^[0-9A-Fa-f.:]+(%[^/]+)?(/[0-9]{1,3})?$`)),
		about: "Signet believes the X-Forwarded-For header of these proxies only; none by default",
		set:   into(func(c *Config) *[]netip.Prefix { return &c.TrustedProxies }, parseNetworks),
	},
	{
		key: "tls.cert", unit: "path", example: "/etc/signet/tls.crt", live: true, paths: wholePath,
		about: "file with the TLS certificate and its intermediate certificates, in PEM form; if it is not set, Signet serves plain http for a proxy in front of it",
		set:   into(func(c *Config) *string { return &c.TLS.Cert }, parseCertificatePath),
	},
	{
		key: "tls.key", unit: "path", example: "/etc/signet/tls.key", live: true, paths: wholePath,
		about: "file with the private key of tls.cert, in PEM form",
		set:   into(func(c *Config) *string { return &c.TLS.Key }, parseCertificatePath),
	},
	lifetime("access", "15m", maxDay, "life of an access token", func(l *provider.Lifetimes) *time.Duration { return &l.Access }),
	lifetime("id", "15m", maxDay, "life of an ID token", func(l *provider.Lifetimes) *time.Duration { return &l.ID }),
	// RFC 6749, section 4.1.2: at most 10 minutes.
	lifetime("code", "60s", 10*time.Minute, "life of an authorization code; the client must redeem it within this time", func(l *provider.Lifetimes) *time.Duration { return &l.Code }),
	lifetime("device_code", "10m", 30*time.Minute, "life of a device code; the user must enter the code of the device and decide within this time", func(l *provider.Lifetimes) *time.Duration { return &l.DeviceCode }),
	lifetime("request", "30m", maxDay, "time to complete a sign-in; then the authorization request expires", func(l *provider.Lifetimes) *time.Duration { return &l.Request }),
	lifetime("refresh", "7d", maxYear, "an unused refresh token expires after this time", func(l *provider.Lifetimes) *time.Duration { return &l.Refresh }),
	lifetime("refresh_max", "30d", maxYear, "longest life of a refresh token, however often it is used", func(l *provider.Lifetimes) *time.Duration { return &l.RefreshMax }),
	lifetime("offline", "30d", maxYear, "an unused grant with offline access expires after this time", func(l *provider.Lifetimes) *time.Duration { return &l.Offline }),
	lifetime("offline_max", "365d", 10*maxYear, "longest life of a grant with offline access, however often it is used", func(l *provider.Lifetimes) *time.Duration { return &l.OfflineMax }),
	lifetime("refresh_grace", "30s", 5*time.Minute, "time for which a replaced refresh token is still accepted", func(l *provider.Lifetimes) *time.Duration { return &l.RefreshGrace }),
	lifetime("session", "12h", maxYear, `a session without "Keep me signed in" ends after this time without use`, func(l *provider.Lifetimes) *time.Duration { return &l.Session }),
	lifetime("session_kept", "7d", maxYear, `a session with "Keep me signed in" ends after this time without use`, func(l *provider.Lifetimes) *time.Duration { return &l.SessionKept }),
	lifetime("session_max", "30d", maxYear, "longest life of a session, however often it is used", func(l *provider.Lifetimes) *time.Duration { return &l.SessionMax }),
	lifetime("step_up", "5m", maxDay, "time after a sign-in in which people can change their password, their factors and other things that could take their account away; later they are asked for a new proof first", func(l *provider.Lifetimes) *time.Duration { return &l.StepUp }),
	lifetime("admin_idle", "15m", maxDay, "people with a role of administration sign in again for the pages at /admin if they have not used these pages for this time", func(l *provider.Lifetimes) *time.Duration { return &l.AdminIdle }),
	lifetime("consent", "365d", 10*maxYear, "time for which a consent is remembered", func(l *provider.Lifetimes) *time.Duration { return &l.Consent }),
	{
		key: "lifetimes.trusted_browser", byDef: "0s", unit: "duration", shape: trustLife, example: "30d",
		about: "time for which people may trust a browser, in which they then sign in without their second factor: 1 to 90 whole days, or 0s, with which no browser can be trusted",
		set:   into(func(c *Config) *time.Duration { return &c.Lifetimes.TrustedBrowser }, parseTrustLife),
	},
	{
		key: "events.retention", byDef: "400d", unit: "duration", shape: duration, example: "90d",
		about: "audit events are deleted after this time, at least 1d; the mail about a sign-in from a new place compares with the sign-ins in the events",
		set: into(func(c *Config) *time.Duration { return &c.EventRetention }, func(text string) (time.Duration, error) {
			return foreign.ParseDuration(text, maxDay, 10*maxYear)
		}),
	},
	{
		key: "events.webhook.url", unit: "URL", example: "https://siem.example.com/signet",
		shape: matching(`^https?://[^\s]+$`),
		about: "address to which every audit event is sent, in the form of Standard Webhooks; https, or http to a loopback host; needs events.webhook.secret",
		set:   into(func(c *Config) *string { return &c.Webhook.URL }, parseWebhookURL),
	},
	{
		key: "events.webhook.secret", unit: "whsec_ and base64", example: "the output of: echo whsec_$(openssl rand -base64 32)", secret: true,
		shape: matching(`^whsec_[A-Za-z0-9+/]+=*$`),
		about: "key with which the events are signed; the receiver checks the header webhook-signature with it",
		set:   into(func(c *Config) *webhook.Secret { return &c.Webhook.Secret }, webhook.ParseSecret),
	},
	{
		key: "events.webhook.types", byDef: "all", unit: "all or event types", example: "user.disabled, user.deleted",
		shape: listOf(matching(`^[a-z_.]+$`)),
		about: "types of the events that are sent",
		set:   into(func(c *Config) *[]storage.EventType { return &c.Webhook.Types }, parseEventTypes),
	},
	{
		key: "log.level", byDef: "info", unit: "debug, info, warn or error", example: "info", live: true, flag: true,
		shape: oneOfWords("debug", "info", "warn", "error"),
		about: "lowest level that is logged",
		set:   into(func(c *Config) *slog.Level { return &c.LogLevel }, parseLogLevel),
	},
	{
		key: "passwords.min_length", byDef: "10", unit: "characters", example: "15",
		shape: passwordLength.shape(),
		about: "minimum length of a new password; use 15 or more if passwords are the only factor",
		set:   into(func(c *Config) *int { return &c.PasswordLength }, passwordLength.parse),
	},
	{
		key: "passwords.memory", byDef: "19", unit: "MiB", example: "64",
		shape: hashMemory.shape(),
		about: "memory for each password hash (argon2id)",
		set: into(func(c *Config) *uint32 { return &c.Passwords.Memory }, func(text string) (uint32, error) {
			mebibytes, err := hashMemory.parse(text)
			return uint32(mebibytes) * 1024, err
		}),
	},
	{
		key: "passwords.time", byDef: "2", unit: "passes", example: "3",
		shape: hashPasses.shape(),
		about: "number of passes over that memory for each password hash",
		set: into(func(c *Config) *uint32 { return &c.Passwords.Time }, func(text string) (uint32, error) {
			passes, err := hashPasses.parse(text)
			return uint32(passes), err
		}),
	},
	{
		key: "passwords.threads", byDef: "1", unit: "threads", example: "1",
		shape: hashThreads.shape(),
		about: "number of threads for each password hash",
		set: into(func(c *Config) *uint8 { return &c.Passwords.Threads }, func(text string) (uint8, error) {
			threads, err := hashThreads.parse(text)
			return uint8(threads), err
		}),
	},
	{
		key: "rate_limits.account", byDef: "20", unit: "wrong passwords", example: "10",
		shape: rateLimit.shape(),
		about: "wrong passwords allowed for each user name (existing or not), and for each browser in which its owner has signed in, before the answer is 429",
		set:   into(func(c *Config) *int { return &c.RateLimits.Account }, rateLimit.parse),
	},
	{
		key: "rate_limits.network", byDef: "100", unit: "wrong passwords", example: "500",
		shape: rateLimit.shape(),
		about: "wrong passwords allowed from one IPv4 address or IPv6 /64 before the answer is 429; this number also applies to wrong secrets of clients and wrong codes of devices, which are counted apart; an IPv6 /48 may have ten times as many",
		set:   into(func(c *Config) *int { return &c.RateLimits.Network }, rateLimit.parse),
	},
	{
		key: "rate_limits.window", byDef: "15m", unit: "duration", example: "30m",
		shape: duration,
		about: "period in which wrong passwords are counted, and the other attempts of rate_limits.network",
		set: into(func(c *Config) *time.Duration { return &c.RateLimits.Window }, func(text string) (time.Duration, error) {
			return foreign.ParseDuration(text, time.Minute, maxDay)
		}),
	},
	{
		key: "signup", byDef: signUpConnectors, unit: "closed, connectors or open", example: signUpClosed, live: true,
		shape: oneOfWords(signUpClosed, signUpConnectors, signUpOpen),
		about: "who gets an account without an operator: nobody (closed), everyone who signs in through a connector (connectors), or also everyone who confirms an email address (open, needs smtp.host)",
		set:   into(func(c *Config) *string { return &c.SignUp }, oneOf(signUpClosed, signUpConnectors, signUpOpen)),
	},
	{
		key: "factors.required", byDef: factorsAdmins, unit: "none, admins or all", example: factorsAll,
		shape: oneOfWords(factorsNone, factorsAdmins, factorsAll),
		about: "who needs a second factor: nobody (none); administrators, who can only read the pages at /admin without one (admins); or everyone, who adds one at the first sign-in (all). Users who have one are always asked for it",
		set: func(c *Config, text string) error {
			required, err := oneOf(factorsNone, factorsAdmins, factorsAll)(text)
			c.EveryFactor = required == factorsAll
			c.AdminFactor = c.EveryFactor || required == factorsAdmins
			return err
		},
	},
	{
		key: "passkeys.rp_id", unit: "domain", example: "example.com",
		shape: matching(domainName.String()),
		about: "domain to which passkeys belong (RP ID): the issuer's host or a parent domain of it; every site of that domain can ask people for them, and Signet accepts only answers to its own pages; a change makes the existing passkeys useless; default: the issuer's host",
		set:   into(func(c *Config) *string { return &c.PasskeyRPID }, parseRPID),
	},
	{
		key: "passkeys.conditional_create", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "after a sign-in with a password, a person who has no passkey gets one without being asked, if the browser can do that (WebAuthn conditional create); it is told by mail, and is as strong as the password until it is used with a second factor",
		set:   into(func(c *Config) *bool { return &c.MakesPasskeys }, parseBool),
	},
	{
		key: "registration.mode", byDef: string(directory.RegistrationOff), unit: "off, token or open", example: string(directory.RegistrationToken),
		shape: oneOfWords(registrationModes...),
		about: "who may register clients at the registration endpoint (RFC 7591): nobody (off), programs with a token of `signet registration token create` (token), or everyone (open)",
		set: into(func(c *Config) *directory.RegistrationMode { return &c.Registration.Mode }, func(text string) (directory.RegistrationMode, error) {
			mode, err := oneOf(registrationModes...)(text)
			return directory.RegistrationMode(mode), err
		}),
	},
	{
		key: "rate_limits.registrations", byDef: "20", unit: "clients per hour", example: "200",
		shape: rateLimit.shape(),
		about: "clients that one IPv4 address or IPv6 /64 may register in an hour without a token, if registration.mode is open, before the answer is 429; an IPv6 /48 may register three times as many",
		set:   into(func(c *Config) *int { return &c.Registration.PerNetwork }, rateLimit.parse),
	},
	{
		key: "rate_limits.pushed_requests", byDef: "300", unit: "requests per 15 minutes", example: "3000",
		shape: rateLimit.shape(),
		about: "authorization requests that clients without a secret or key may push from one IPv4 address or IPv6 /64 before the answer is 429; an IPv6 /48 may push ten times as many",
		set:   into(func(c *Config) *int { return &c.RequestLimits.Pushed }, rateLimit.parse),
	},
	{
		key: "rate_limits.device_codes", byDef: "50", unit: "codes within lifetimes.device_code", example: "500",
		shape: rateLimit.shape(),
		about: "device codes that one client without a secret or key may ask for from one IPv4 address or IPv6 /64 before the answer is 429; an IPv6 /48 may ask for ten times as many",
		set:   into(func(c *Config) *int { return &c.RequestLimits.DeviceCodes }, rateLimit.parse),
	},
	{
		key: "accounts.edit_username", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "lets users choose their user name (`preferred_username`) on the account page, which shows them the names that are taken; if false, only operators can set it",
		set:   into(func(c *Config) *bool { return &c.EditUsername }, parseBool),
	},
	{
		key: "registration.response_types", byDef: storage.ResponseTypeCode, unit: "response types", example: "code, code id_token",
		shape: listOf(oneOfWords(storage.ResponseTypeNames()...)),
		about: "response types that the discovery document offers to clients, and that clients may register for themselves; an administrator can register a client for every response type (`--response-type`)",
		set:   into(func(c *Config) *[]string { return &c.ResponseTypes }, parseResponseTypes),
	},
	{
		key: "require_pushed_authorization_requests", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "refuses every authorization request that the client has not pushed to `/par` before (RFC 9126); `--require-pushed-authorization-requests` does this for one client",
		set:   into(func(c *Config) *bool { return &c.RequirePushed }, parseBool),
	},
	{
		key: "smtp.host", unit: "host", example: "smtp.example.com",
		about: "mail server that sends all mails; without it, Signet sends no mails and offers nothing that needs one",
		set:   into(func(c *Config) *string { return &c.Mail.Host }, parseMailHost),
	},
	{
		key: "smtp.port", unit: "port", example: "587",
		shape: mailPort.shape(),
		about: "port of the mail server; default: 587, or 465 if smtp.tls is tls, or 25 if it is none",
		set:   into(func(c *Config) *int { return &c.Mail.Port }, mailPort.parse),
	},
	{
		key: "smtp.tls", byDef: string(mail.StartTLS), unit: "starttls, tls or none", example: string(mail.TLS),
		shape: oneOfWords(encryptions...),
		about: "encryption of the connection to the mail server: required by STARTTLS (starttls), from the beginning (tls), or none, which is only allowed for loopback hosts",
		set: into(func(c *Config) *mail.Encryption { return &c.Mail.Encryption }, func(text string) (mail.Encryption, error) {
			encryption, err := oneOf(encryptions...)(text)
			return mail.Encryption(encryption), err
		}),
	},
	{
		key: "smtp.username", unit: "text", example: "signet",
		about: "user name at the mail server; without it, Signet does not authenticate there",
		set:   into(func(c *Config) *string { return &c.Mail.Username }, parseText),
	},
	{
		key: "smtp.password", unit: "text", example: "the password of that user", secret: true,
		about: "password of smtp.username",
		set:   into(func(c *Config) *federation.Secret { return &c.Mail.Password }, parseSecret),
	},
	{
		key: "mail.from", unit: "address", example: "Example <no-reply@example.com>",
		about: "sender of all mails: an email address, or a name and the address in <>; required with smtp.host",
		set:   into(func(c *Config) *mail.Sender { return &c.Mail.From }, mail.ParseSender),
	},
	{
		key: "frontchannel_logout", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "the page after a sign-out opens the `frontchannel_logout_uri` of each client of the session in an iframe; browsers that block the cookies of other sites make this useless for clients at other sites, so prefer `backchannel_logout_uri`",
		set:   into(func(c *Config) *bool { return &c.FrontchannelLogout }, parseBool),
	},
	{
		key: "session_management", byDef: "false", unit: "true or false", example: "true",
		shape: trueOrFalse,
		about: "lets the pages of clients see sign-outs in the same browser through `check_session_iframe`, and adds `session_state` to authorization responses (OIDC Session Management); works only for clients at the site of the issuer in browsers that block the cookies of other sites",
		set:   into(func(c *Config) *bool { return &c.SessionManagement }, parseBool),
	},
	{
		key: "outbound.extra_ca", unit: "path", example: "/etc/signet/ca.pem", paths: wholePath,
		about: "file with certificate authorities, in PEM form; Signet trusts them in addition to the system's when it calls an upstream or the mail server",
		set:   into(func(c *Config) *string { return &c.ExtraCA }, parseAuthorities),
	},
	{
		key: "outbound.proxy", unit: "URL", example: "http://proxy.example.com:3128", secret: true,
		shape: matching(`^https?://.+$`),
		about: "proxy for the calls to upstreams; none by default",
		set:   into(func(c *Config) *federation.Secret { return &c.Proxy }, parseProxy),
	},
	{
		key: "keys.algorithms", byDef: "ES256, RS256", unit: "algorithm names", example: "ES256, RS256",
		shape: listOf(oneOfWords(keys.SigningAlgorithms()...)),
		about: "algorithms of the published signing keys; the first is the preferred one",
		set:   into(func(c *Config) *[]string { return &c.Algorithms }, parseAlgorithms),
	},
	keyLife(setting{key: "keys.rotate_every", byDef: "30d", example: "90d", about: "time for which a key signs before the next key takes over"}, 10*maxYear, func(l *keeper.Life) *time.Duration { return &l.RotateEvery }),
	keyLife(setting{key: "keys.publish_before", byDef: "24h", example: "48h", about: "time for which a key is published before it signs"}, maxYear, func(l *keeper.Life) *time.Duration { return &l.PublishBefore }),
	keyLife(setting{key: "keys.jwks_max_age", byDef: "5m", example: "10m", about: "time for which clients may cache the published keys; a key stays published for this time after its last token has expired"}, maxDay, func(l *keeper.Life) *time.Duration { return &l.MaxAge }),
	{
		key: "keys.rsa", byDef: rsaGo, unit: "go or openssl", example: rsaOpenSSL,
		shape: oneOfWords(rsaGo, rsaOpenSSL),
		about: "program part that makes RS256 and PS256 signatures: Go, or the OpenSSL 3 of this machine, which is faster; openssl only in builds with cgo for Linux",
		set:   into(func(c *Config) *bool { return &c.OpenSSL }, parseRSA),
	},
	{
		key: "keys.pkcs11.module", unit: "path", example: "/usr/lib/softhsm/libsofthsm2.so", paths: wholePath,
		about: "PKCS #11 module of the hardware security module in which new signing keys are made; only in builds with `-tags pkcs11`",
		set:   into(func(c *Config) *string { return &c.PKCS11.Module }, withPKCS11(parseModule)),
	},
	{
		key: "keys.pkcs11.token", unit: "label", example: "signet",
		about: "label of the token in that module; the token must exist",
		set:   into(func(c *Config) *string { return &c.PKCS11.Token }, withPKCS11(parseTokenLabel)),
	},
	{
		key: "keys.pkcs11.pin", unit: "text", example: "the PIN of the token's normal user", secret: true,
		about: "PIN of the token's normal user",
		set:   into(func(c *Config) *federation.Secret { return &c.PKCS11.PIN }, withPKCS11(parseSecret)),
	},
	{
		key: "keys.pkcs11.algorithms", byDef: "all", unit: "all, none or algorithm names", example: "ES256",
		shape: listOf(oneOfWords(keys.SigningAlgorithms()...)),
		about: "algorithms whose new keys are made in the token; all other keys and the internal secrets are stored in the database, encrypted",
		set:   into(func(c *Config) *[]string { return &c.PKCS11.Algorithms }, parseInModule),
	},
}

const (
	maxDay  = 24 * time.Hour
	maxYear = 365 * maxDay
)

// lifetime returns a row of lifetimes.*: a duration from one second to longest.
func lifetime(name, byDef string, longest time.Duration, about string, field func(*provider.Lifetimes) *time.Duration) setting {
	return setting{
		key: "lifetimes." + name, byDef: byDef, unit: "duration", shape: duration, example: byDef, about: about,
		set: into(
			func(c *Config) *time.Duration { return field(&c.Lifetimes) },
			func(text string) (time.Duration, error) { return foreign.ParseDuration(text, time.Second, longest) },
		),
	}
}

// keyLife completes a row of keys.*: a duration from one second to longest.
func keyLife(row setting, longest time.Duration, field func(*keeper.Life) *time.Duration) setting {
	row.unit, row.shape = "duration", duration
	row.set = into(
		func(c *Config) *time.Duration { return field(&c.Keys) },
		func(text string) (time.Duration, error) { return foreign.ParseDuration(text, time.Second, longest) },
	)
	return row
}

// Default returns the configuration without any source: all settings have their defaults.
func Default() Config {
	var c Config
	for _, s := range settings {
		if s.byDef == "" {
			continue
		}
		if err := s.set(&c, s.byDef); err != nil {
			panic("default of " + s.key + ": " + err.Error())
		}
	}
	return c
}

// Flag is the command-line flag of a setting.
type Flag struct{ Key, Name, About, Default string }

// Flags returns the flags of serve, in the order of the table.
func Flags() []Flag {
	var flags []Flag
	for _, s := range settings {
		if s.flag {
			flags = append(flags, Flag{s.key, s.flagName(), s.about, s.byDef})
		}
	}
	return flags
}

// Units yields the key of every setting with the unit of its value, in the order of the table.
func Units() iter.Seq2[string, string] {
	return func(yield func(key, unit string) bool) {
		for _, s := range settings {
			if !yield(s.key, s.unit) {
				return
			}
		}
	}
}
