package visit

import (
	"errors"
	"net/http"

	"signet/provider/web"
	"signet/templates/words"
)

var errCookiesBlocked = web.Because("cookies_blocked", errors.New("the browser sends no cookie back"))

// CookiesBlocked is the page for a browser that does not store cookies. Every sign-in page
// sets a cookie. So if a form comes without any, this page is shown before anything is
// stored. wayOn must lead to a page that sets a cookie again.
func CookiesBlocked(wayOn string) *web.Problem {
	return &web.Problem{
		Status: http.StatusBadRequest, Code: "cookies_blocked", Title: words.Say("cookies-problem.title"),
		Text:     words.Say("cookies-problem.text"),
		StartURL: wayOn, StartText: words.Say("cookies-problem.try-again"), Cause: errCookiesBlocked,
	}
}

// LastConnectorCookie is the suffix of the cookie with the id of the connector that was used last
// in this browser.
const LastConnectorCookie = "_last"

const noConnector = "-" // instead of a connector's id; no id begins with a hyphen

// SetTestCookie sets a cookie in a browser that has sent none. If a form of the page comes
// without any cookie, the browser blocks them.
func (v *Visits) SetTestCookie(w http.ResponseWriter, r *http.Request) {
	if !v.Sessions.Cookies.HasAnyCookie(r) {
		v.Sessions.Cookies.Set(w, LastConnectorCookie, noConnector, 0)
	}
}

// signedInParameter is added to the address of the dispatcher after a sign-in.
const signedInParameter = "entered"

// NextAfterSignIn is Next for a step that has just set the session cookie.
func (v *Visits) NextAfterSignIn(sealed string) string {
	return v.Next(sealed) + "&" + signedInParameter + "=1"
}

// CheckSessionCookie refuses a browser that comes from NextAfterSignIn without the session
// cookie. The browser blocks that cookie, so it would be asked to sign in forever.
func (v *Visits) CheckSessionCookie(r *http.Request, sealed string) error {
	if r.URL.Query().Has(signedInParameter) && !v.Sessions.Cookies.HasSessionCookie(r) {
		return CookiesBlocked(v.Next(sealed))
	}
	return nil
}
