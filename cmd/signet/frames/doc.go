// Package frames tests iframes in Chromium: front-channel logout at applications,
// and check_session_iframe with oidc-client-ts.
package frames
