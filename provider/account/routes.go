package account

import (
	"net/http"

	"signet/provider/visit"
	"signet/provider/web"
)

// Routes returns the paths below the issuer that this package serves. back is the page to
// which the browser returns if it must sign in first.
func (h *Handler) Routes() []web.Route {
	page := func(methods, path, back string, serve visit.Page) web.Route {
		return web.Route{Methods: methods, Path: path, Policy: web.PagePolicy, Handler: h.Site.Page(h.Visits.RequireSignIn(back, serve))}
	}
	list := []web.Route{
		{Methods: "GET|HEAD", Path: "/{$}", Policy: web.EntryPagePolicy, Handler: h.Site.CrossOriginPage(h.home)},
		page("GET|HEAD", "/account", overviewPath, h.overview),
		page("GET|HEAD", "/account/profile", profilePath, h.showProfile),
		page("POST", "/account/profile", profilePath, h.saveProfile),
		page("GET|HEAD", "/account/email", emailPath, h.showEmail),
		page("POST", "/account/email/verify", emailPath, h.requestProof),
		page("GET|HEAD", "/account/email/change", changePath, h.askChange),
		page("POST", "/account/email/change", changePath, h.requestChange),
		page("GET|HEAD", "/account/security", securityPath, h.showSecurity),
		page("GET|HEAD", "/account/security/totp", totpPath, h.showTOTP),
		page("POST", "/account/security/totp", totpPath, h.addTOTP),
		page("GET|HEAD", "/account/security/proof", visit.ProofPath, h.showProof),
		page("POST", "/account/security/proof", visit.ProofPath, h.mailProof),
		page("GET|HEAD", "/account/security/totp/remove", removeTOTPPath, h.askRemoveTOTP),
		page("POST", "/account/security/totp/remove", removeTOTPPath, h.removeTOTP),
		page("GET|HEAD", "/account/security/keys/add", addKeyPath, h.askAddKey),
		page("POST", "/account/security/keys/add", addKeyPath, h.addKey),
		page("POST", "/account/security/keys/rename", securityPath, h.renameKey),
		page("GET|HEAD", "/account/security/keys/remove", securityPath, h.askRemoveKey),
		page("POST", "/account/security/keys/remove", securityPath, h.removeKey),
		page("GET|HEAD", "/account/security/always-ask", alwaysAskPath, h.askAlwaysAsk),
		page("POST", "/account/security/always-ask", alwaysAskPath, h.changeAlwaysAsk),
		page("GET|HEAD", "/account/security/codes", codesPath, h.askCodes),
		page("POST", "/account/security/codes", codesPath, h.replaceCodes),
		page("GET|HEAD", "/account/password", passwordPath, h.showPassword),
		page("POST", "/account/password", passwordPath, h.changePassword),
		page("GET|HEAD", "/account/passkeys", passkeysPath, h.showPasskeys),
		page("GET|HEAD", "/account/passkeys/add", addPasskeyPath, h.askAddPasskey),
		page("POST", "/account/passkeys/add", addPasskeyPath, h.addPasskey),
		page("POST", "/account/passkeys/rename", passkeysPath, h.renamePasskey),
		page("GET|HEAD", "/account/passkeys/remove", passkeysPath, h.askRemovePasskey),
		page("POST", "/account/passkeys/remove", passkeysPath, h.removePasskey),
		page("GET|HEAD", "/account/sessions", sessionsPath, h.showSessions),
		page("POST", "/account/sessions/end", sessionsPath, h.endSession),
		page("POST", "/account/sessions/end-others", sessionsPath, h.endOthers),
		page("POST", "/account/sessions/end-trust", sessionsPath, h.endTrust),
		page("GET|HEAD", "/account/sessions/end-all", endAllPath, h.askEndAll),
		page("POST", "/account/sessions/end-all", endAllPath, h.endAll),
		page("GET|HEAD", "/account/apps", appsPath, h.showApps),
		page("GET|HEAD", "/account/apps/withdraw", appsPath, h.askWithdraw),
		page("POST", "/account/apps/withdraw", appsPath, h.withdraw),
		page("GET|HEAD", "/account/identities", identitiesPath, h.showIdentities),
		page("GET|HEAD", "/account/identities/link", identitiesPath, h.askLink),
		page("POST", "/account/identities/link", identitiesPath, h.linkIdentity),
		page("GET|HEAD", "/account/identities/unlink", identitiesPath, h.askUnlink),
		page("POST", "/account/identities/unlink", identitiesPath, h.unlinkIdentity),
	}
	wellKnown := web.Route{
		Methods: "GET|HEAD", Path: "/.well-known/change-password", Policy: web.EntryPagePolicy,
		Handler: http.HandlerFunc(h.wellKnown), Specification: "W3C, A Well-Known URL for Changing Passwords",
	}
	list = append(list, wellKnown)
	if h.Site.Base != "" { // password managers request it at the root of the host
		wellKnown.AtHostRoot = true
		list = append(list, wellKnown)
	}
	return list
}

// wellKnown redirects password managers to the form for a new password.
func (h *Handler) wellKnown(w http.ResponseWriter, _ *http.Request) {
	_ = web.SeeOther(w, h.Site.Base+passwordPath)
}
