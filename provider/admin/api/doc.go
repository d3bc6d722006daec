// Package api serves the administration API below /admin/api. Each operation is one act of an
// operator, by the rules of package directory, which the commands and pages use too.
//
// Its rule: an operation is one row of Handler.operations. Routes, authentication, the checks of
// parameters and bodies, and the OpenAPI document are made from these rows. A body is checked by
// the schema that the document publishes.
//
// Callers are services with admin_api, and people with a role of administration who got a token from
// the pages for operators. Client and token, or session, user and role, are read from the database at
// each call, so that a revocation counts at once. Cookies are ignored.
//
// The package does not know pages, sessions of browsers, or the command line.
package api
