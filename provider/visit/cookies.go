package visit

import (
	"errors"
	"net/http"

	"signet/provider/web"
)

var errBlocked = web.Because("cookies_blocked", errors.New("the browser sends no cookie back"))

// CookiesBlocked is the page for a browser that keeps no cookies. Every sign-in page sets
// one, so a form that comes without any shows it, before anything is stored. The way on
// leads to a page that sets one anew.
func CookiesBlocked(wayOn string) *web.Problem {
	return &web.Problem{
		Status: http.StatusBadRequest, Code: "cookies_blocked", Title: "Your browser blocks cookies here",
		Text: "Signing in needs a cookie, and your browser did not send it back. Allow cookies for this site in the settings of your browser, " +
			"or of the extension that blocks them, and try again. If cookies are allowed, they were deleted while the page was open: just try again.",
		StartURL: wayOn, StartText: "Try again", Cause: errBlocked,
	}
}

// enteredMark stands in the address of the dispatcher after a sign-in.
const enteredMark = "entered"

// NextAfterSignIn is Next for a step that has just set a session's cookie.
func (v *Visits) NextAfterSignIn(sealed string) string {
	return v.Next(sealed) + "&" + enteredMark + "=1"
}

// CheckSessionCookie refuses a browser that has come from NextAfterSignIn without the session's cookie:
// it blocks that one, and would be asked to sign in for ever.
func (v *Visits) CheckSessionCookie(r *http.Request, sealed string) error {
	if r.URL.Query().Has(enteredMark) && !v.Sessions.Cookies.SessionCame(r) {
		return CookiesBlocked(v.Next(sealed))
	}
	return nil
}
