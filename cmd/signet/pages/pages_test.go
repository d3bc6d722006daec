package pages_test

import (
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
	"signet/provider/providertest"
	"signet/static"
	"signet/storage"
)

// everyCombination reports whether axe-core checks each page in each window and in all colors.
// Otherwise the pages take turns, since axe-core takes most of the time.
func everyCombination() bool { return signettest.InSoak() || os.Getenv("SCREENSHOTS") != "" }

// TestPages_EveryStateIsAccessible checks each golden file of templates with axe-core in
// Chromium, so that a new page is checked too. With SCREENSHOTS=folder it stores pictures of
// the pages in the folder.
func TestPages_EveryStateIsAccessible(t *testing.T) {
	const ending = ".golden.html"
	files, err := filepath.Glob("../../../templates/testdata/*" + ending)
	if err != nil || len(files) < 64 {
		t.Fatalf("there are %d golden files, %v", len(files), err)
	}
	assets, err := static.New("/auth") // the base path of the golden files
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc(assets.Prefix(), func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = assets.URL(strings.Replace(path.Base(r.URL.Path), ".HASH.", ".", 1))
		assets.ServeHTTP(w, r)
	})
	mux.HandleFunc("/auth/client-logo/", func(w http.ResponseWriter, _ *http.Request) {
		if err := png.Encode(w, image.NewGray(image.Rect(0, 0, 400, 100))); err != nil {
			t.Error(err)
		}
	})
	// A browser does not leave a page for an answer without content.
	mux.HandleFunc("/authorize/next", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	var names []string
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ending)
		names = append(names, name)
		mux.HandleFunc("/"+name, func(w http.ResponseWriter, _ *http.Request) {
			page, err := os.ReadFile(file)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(staying(page))
		})
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	var saw struct{ Problems, Complaints []string }
	signettest.RunInBrowser(t, "states.mjs", map[string]any{
		"origin": server.URL, "pages": names, "every": everyCombination(), "screenshots": os.Getenv("SCREENSHOTS"),
	}, &saw)
	for _, problem := range saw.Problems {
		t.Error(problem)
	}
	signettest.RefuseComplaints(t, saw.Complaints)
}

var leaving = regexp.MustCompile(` data-leave|(<iframe )src="[^"]*"| sandbox="[^"]*"`)

// staying returns a page that does not go on by itself, and whose iframes call no other host.
func staying(page []byte) []byte { return leaving.ReplaceAll(page, []byte("$1")) }

// TestPages_AreAccessibleAndLight opens every page of a running server and checks each with
// axe-core. A page may have 15 KB and 7 requests.
func TestPages_AreAccessibleAndLight(t *testing.T) {
	dev := signettest.StartDev(t)
	tv := (&signettest.Instance{Env: []string{"SIGNET_DATA_DIR=" + dev.Dir}}).CreateClient(t, "--type", "native", "--response-type", "", "--grant-type", storage.GrantDevice)
	accountPages, adminPages := providertest.Pages(t, "/account"), providertest.Pages(t, "/admin")
	job := map[string]any{
		"admin": dev.Administrator(t), "accountPages": accountPages, "adminPages": adminPages, "device": tv.ID,
		"every": everyCombination(), "screenshots": os.Getenv("SCREENSHOTS"),
	}
	var saw struct {
		Pages []struct {
			Title           string
			Bytes, Requests int
			Problems        []string
		}
		Complaints []string
	}
	dev.Browse(t, "accessibility.mjs", job, &saw)
	if got, want := len(saw.Pages), 36+len(accountPages)+len(adminPages); got != want {
		t.Errorf("%d pages were judged, want %d", got, want)
	}
	for _, page := range saw.Pages {
		for _, problem := range page.Problems {
			t.Errorf("%s: %s", page.Title, problem)
		}
		t.Logf("%s: %d bytes in %d requests", page.Title, page.Bytes, page.Requests)
		if page.Bytes < 3<<10 || page.Bytes > 15<<10 || page.Requests < 4 || page.Requests > 7 {
			t.Errorf("%s: %d bytes in %d requests", page.Title, page.Bytes, page.Requests)
		}
	}
	signettest.RefuseComplaints(t, saw.Complaints)
}
