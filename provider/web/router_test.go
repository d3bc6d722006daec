package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"signet/provider/web"
)

// HEAD sets no cookie, whether its handler writes or not. The other methods of the pattern
// keep their cookies, whether they are before or after HEAD.
func TestRouter_OnlyHEADDropsCookies(t *testing.T) {
	refuse := func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusMethodNotAllowed) }
	router := web.NewRouter(refuse, refuse)
	for path, write := range map[string]func(http.ResponseWriter){
		"/status":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusTeapot) },
		"/body":    func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) },
		"/nothing": func(http.ResponseWriter) {},
	} {
		router.Page("GET|HEAD|POST "+path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			write(w)
		}))
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			answer := httptest.NewRecorder()
			router.ServeHTTP(answer, httptest.NewRequest(method, path, nil))
			if got := answer.Result().Cookies(); (len(got) == 0) != (method == http.MethodHead) {
				t.Errorf("%s %s: cookies %v", method, path, got)
			}
		}
	}
}
