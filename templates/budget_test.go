package templates_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
)

// budget of everything a browser fetches to show a page: 15 KB and 7 requests. The
// page itself is counted as it is sent, uncompressed.
const (
	budgetBytes    = 15 * 1024
	budgetRequests = 7
)

func TestPages_KeepTheirBudget(t *testing.T) {
	pages, files := newPages(t)
	asset := regexp.MustCompile(`(?:src|href)="(/auth/static/[^"]+)"`)
	for name, page := range samples() {
		t.Run(name, func(t *testing.T) {
			rendered := render(t, pages, page)
			wanted := map[string]bool{}
			for _, match := range asset.FindAllStringSubmatch(rendered, -1) {
				wanted[match[1]] = true
			}
			if len(wanted) < 3 {
				t.Errorf("got static files %v, want at least style sheet, script and icon", wanted)
			}
			transferred, raw := len(rendered), len(rendered)
			for path := range wanted {
				transferred += fetch(t, files, path, "gzip")
				raw += fetch(t, files, path, "identity")
			}
			if transferred > budgetBytes || 1+len(wanted) > budgetRequests {
				t.Errorf("got %d bytes transferred (%d raw) in %d requests, want at most %d in %d", transferred, raw, 1+len(wanted), budgetBytes, budgetRequests)
			}
			t.Logf("%d bytes transferred, %d raw", transferred, raw)
		})
	}
}

// fetch gives back how many bytes the answer's body has.
func fetch(t *testing.T, files http.Handler, path, coding string) int {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", coding)
	w := httptest.NewRecorder()
	files.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: got %d, want 200", path, w.Code)
	}
	return w.Body.Len()
}
