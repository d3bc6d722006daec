// Package frames tests in Chromium what happens in iframes: front-channel logout at applications,
// and check_session_iframe with oidc-client-ts.
package frames
