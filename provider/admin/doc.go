// Package admin serves the pages for operators: the connectors with their last sign-ins,
// the signing keys, and access tokens for the administration API.
//
// Its rule: each row of Routes names the scopes of the administration API that its page needs, and
// the role of administration of the user stands for some scopes. Each request reads the role from
// the database, with the session. The pages show settings of the configuration and never change
// them.
package admin
