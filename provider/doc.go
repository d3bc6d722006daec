// Package provider assembles the OpenID provider from the packages below it. It owns the
// settings (Config), the list of routes, and the parts that survive a reload of the
// settings.
//
// Its rule: the package decides nothing. It builds each package from the parts that the
// package needs, and joins their routes into one list. A reload of the settings builds a
// new generation; generations share all other parts.
//
// A request passes front and reaches one package: oauth for the protocol, firstparty for
// the app that uses Signet's cookies, interaction, account and admin for the pages. These
// packages ask flow for decisions, visit for the user at the browser, and storage for the
// one transaction. docs/architecture.md follows five requests through the functions.
//
// # Endpoints
//
// These are the paths that a specification rules; docs/routes.md lists all paths.
//
//	endpoint                                                          file                        specification
//	/.well-known/openid-configuration                                 oauth/discovery.go          OIDC Discovery, section 4
//	/.well-known/oauth-authorization-server                           oauth/discovery.go          RFC 8414, section 3
//	/jwks                                                             oauth/documents.go          RFC 7517, section 5
//	host:/.well-known/oauth-authorization-server{path of the issuer}  oauth/discovery.go          RFC 8414, section 3.1
//	/.well-known/passkey-endpoints                                    oauth/documents.go          W3C, A Well-Known URL for Relying Party Passkey Endpoints
//	host:/.well-known/passkey-endpoints                               oauth/documents.go          W3C, A Well-Known URL for Relying Party Passkey Endpoints
//	/authorize                                                        oauth/authorize.go          RFC 6749, section 4.1.1; OIDC Core, section 3.1.2.1
//	/end_session                                                      oauth/logout.go             OIDC RP-Initiated Logout, section 2
//	/check_session                                                    oauth/sessionstate.go       OIDC Session Management, section 3.2
//	/token                                                            oauth/token.go              RFC 6749, section 3.2; OIDC Core, section 3.1.3
//	/par                                                              oauth/pushed.go             RFC 9126, section 2
//	/revoke                                                           oauth/revoke.go             RFC 7009, section 2
//	/device_authorization                                             oauth/device.go             RFC 8628, section 3.1
//	/register                                                         oauth/register.go           RFC 7591, section 3; OIDC Registration, section 3.1
//	/register/{client_id}                                             oauth/register.go           RFC 7592, section 2; OIDC Registration, section 4
//	/introspect                                                       oauth/introspect.go         RFC 7662, section 2
//	/userinfo                                                         oauth/userinfo.go           OIDC Core, section 5.3; RFC 6750, section 2
//	/login/passkey                                                    interaction/passkey.go      WebAuthn, section 7.2
//	/login/passkey/made                                               interaction/madepasskey.go  WebAuthn, section 7.1
//	/login/{connector}/callback                                       interaction/callback.go     RFC 6749, section 4.1.2; OIDC Core, section 3.1.2.5
//	/login/{connector}/callback                                       interaction/formpost.go     OAuth 2.0 Form Post Response Mode, section 2
//	/signup                                                           signup/signup.go            Initiating User Registration via OpenID Connect 1.0, section 4
//	/.well-known/change-password                                      account/routes.go           W3C, A Well-Known URL for Changing Passwords
//	host:/.well-known/change-password                                 account/routes.go           W3C, A Well-Known URL for Changing Passwords
//	/admin/api/v1/openapi.json                                        admin/api/document.go       OpenAPI 3.1
//
// # Divergences
//
// docs/specifications.md lists every divergence from the specifications with its reason.
// The main ones:
//
//   - Without PKCE, a confidential client must send a nonce (RFC 9700, section 2.1.1,
//     allows either). A code_challenge_method of plain is refused.
//   - A rotated refresh token still gets an answer for 30 seconds, always the same new
//     token (RFC 9700, section 4.14.2, knows no such grace). Two tabs or a lost answer
//     therefore do not end the grant.
//   - A wrong code verifier spends the code (RFC 7636, section 4.6, only refuses it).
//   - Tokens in the response are only for clients that an administrator has registered for
//     them. The password grant is refused, and request_uri names only pushed requests.
//
// The package does not know flags, files, environment variables or tickers.
package provider
