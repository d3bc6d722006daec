// Package admin serves the pages for operators: the connectors with their last sign-ins,
// and the signing keys.
//
// Only administrators see the pages. Each request reads from the database, with the
// session, whether the user is an administrator. The pages show settings of the
// configuration and never change them.
package admin
