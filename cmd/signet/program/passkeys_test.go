package program_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/exit"
	"signet/storage"
)

// addPasskey stores a passkey of the user of the installation, as the account page does.
func (w *world) addPasskey(t *testing.T, rpID string) {
	t.Helper()
	db, err := storage.OpenExisting(t.Context(), storage.Config{DataDir: filepath.Join(w.dir, "data")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	u, _, err := db.UserByEmail(t.Context(), w.Email)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	s, err := db.SignIn(t.Context(), storage.SignIn{UserID: u.ID, HandleHash: storage.NewID("h"), Request: "r", IdleFor: time.Hour, AbsoluteFor: time.Hour}, now)
	if err == nil {
		_, _, err = db.AddPasskey(t.Context(), storage.PasskeyAddition{
			FactorChange: storage.FactorChange{UserID: u.ID, SessionID: s.ID, Handle: storage.NewID("h"), FreshFor: time.Hour},
			Passkey:      storage.Passkey{Name: "Phone", Handle: storage.NewID("p"), RPID: rpID, PublicKey: []byte("key")}, ChallengeID: storage.NewID("c"), Until: storage.At(now.Add(time.Hour)),
		}, now)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// at returns the installation with another issuer.
func (w *world) at(issuer string, more ...string) *world {
	moved := &world{t: w.t, template: w.template, dir: w.dir, browser: w.browser, Instance: w.Instance}
	instance := *w.Instance
	instance.Env = append(append(append([]string{}, w.Env...), "SIGNET_ISSUER="+issuer, "SIGNET_LISTEN=127.0.0.1:0"), more...)
	moved.Instance = &instance
	return moved
}

// A start at another host stops, and says how many passkeys would be lost and how to go on. config
// check says the same. After `signet passkeys abandon` the server starts there, and the old passkeys
// are listed as unusable. Back at the old host they work again.
func TestPasskeys_OtherHostStopsTheStart(t *testing.T) {
	h := newInstallTemplate(t)
	w := h.world(t)
	const former = "https://id.example.com"
	w.addPasskey(t, "id.example.com")
	for _, c := range []struct{ issuer, chosen, keep string }{
		{"https://login.example.org", "", "set issuer to an address at id.example.com again"},
		{"https://a.id.example.com", "", "set passkeys.rp_id to id.example.com"},
		{former, "SIGNET_PASSKEYS_RP_ID=example.com", "remove the setting passkeys.rp_id"},
		{"https://192.0.2.1", "", "set issuer to an address at id.example.com again"},
		{"http://localhost:8080", "", "set issuer to an address at id.example.com again"},
	} {
		moved := w.at(c.issuer, c.chosen)
		served := runServe(t, moved.Env, "")
		served.stop()
		code, checked := moved.command("", "config", "check", "--json")
		for what, output := range map[string]string{"serve": served.output, "config check": checked} {
			for _, want := range []string{"1 passkey of 1 user belongs to id.example.com", c.keep, "signet passkeys abandon"} {
				if !strings.Contains(output, want) {
					t.Errorf("%s at %s: got %s, want %q", what, c.issuer, output, want)
				}
			}
		}
		if served.code != exit.Config || code != exit.Config {
			t.Errorf("%s: serve ends with %d and config check with %d, want %d", c.issuer, served.code, code, exit.Config)
		}
	}
	for _, allowed := range []*world{w.at(former), w.at(former+":8443/auth", "SIGNET_PASSKEYS_RP_ID=id.example.com"), w.at("https://a.id.example.com", "SIGNET_PASSKEYS_RP_ID=id.example.com")} {
		if got := allowed.starts(); got != "exit code 0, listening: true" {
			t.Errorf("%v: %s", allowed.Env, got)
		}
	}

	moved := w.at("https://login.example.org")
	if code, _ := moved.command("", "passkeys", "abandon"); code != exit.Usage {
		t.Errorf("abandon without --yes ends with %d, want %d", code, exit.Usage)
	}
	code, printed := moved.command("", "passkeys", "abandon", "--yes", "--json")
	var host struct {
		RPID     string `json:"rp_id"`
		Stored   string `json:"stored_rp_id"`
		Passkeys int    `json:"passkeys"`
		Unusable int    `json:"unusable"`
		Users    int    `json:"users_of_others"`
	}
	if err := json.Unmarshal([]byte(printed), &host); err != nil || code != exit.OK || fmt.Sprint(host) != "{login.example.org login.example.org 0 1 1}" {
		t.Fatalf("abandon: exit code %d, %s, %v", code, printed, err)
	}
	if got := moved.starts(); got != "exit code 0, listening: true" {
		t.Errorf("after abandon: %s", got)
	}
	if _, printed := moved.command("", "user", "factors", w.Email); !strings.Contains(printed, "Phone, unusable: it belongs to a former host") {
		t.Errorf("user factors prints %s", printed)
	}
	if _, printed := moved.command("", "user", "show", w.Email, "--json"); !strings.Contains(printed, `"unusable": true`) {
		t.Errorf("user show prints %s", printed)
	}
	if _, printed := moved.command("", "passkeys", "show"); !strings.Contains(printed, "unusable passkeys      1") {
		t.Errorf("passkeys show prints %s", printed)
	}
	back := w.at(former)
	if got := back.starts(); got != "exit code 0, listening: true" {
		t.Errorf("back at the old host: %s", got)
	}
	if _, printed := back.command("", "user", "factors", w.Email); strings.Contains(printed, "unusable") {
		t.Errorf("back at the old host, user factors prints %s", printed)
	}
}

// A restored backup has the RP ID of its passkeys, so a start at another host stops too.
func TestRestore_KeepsHostOfPasskeys(t *testing.T) {
	h := newInstallTemplate(t)
	w := h.world(t)
	w.addPasskey(t, "id.example.com")
	backup := filepath.Join(w.dir, "backup.db")
	if code, printed := w.command("", "backup", backup); code != exit.OK {
		t.Fatalf("backup: exit code %d, %s", code, printed)
	}
	other := h.world(t)
	data := filepath.Join(other.dir, "data")
	if err := os.Remove(filepath.Join(data, "signet.db")); err != nil {
		t.Fatal(err)
	}
	moved := other.at("https://login.example.org")
	if code, printed := moved.command("", "restore", backup); code != exit.OK {
		t.Fatalf("restore: exit code %d, %s", code, printed)
	}
	served := runServe(t, moved.Env, "")
	served.stop()
	if served.code != exit.Config || !strings.Contains(served.output, "1 passkey of 1 user belongs to id.example.com and could not be used at login.example.org") {
		t.Errorf("serve ends with %d: %s", served.code, served.output)
	}
	if got := other.at("https://id.example.com").starts(); got != "exit code 0, listening: true" {
		t.Errorf("at the old host: %s", got)
	}
}

// tunnel starts a proxy that connects every host to one address.
func tunnel(t *testing.T, address string) string {
	t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner, err := net.Dial("tcp", address)
		if err != nil || r.Method != http.MethodConnect {
			t.Errorf("%s %s: %v", r.Method, r.Host, err)
			return
		}
		defer inner.Close()
		outer, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer outer.Close()
		fmt.Fprint(outer, "HTTP/1.1 200 OK\r\n\r\n")
		go io.Copy(inner, outer)
		_, _ = io.Copy(outer, inner)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// authorityFile writes the certificate of a server to a file.
func authorityFile(t *testing.T, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The check reads the document at the RP ID, and says what is wrong with it.
func TestPasskeysCheck_ReadsTheDocumentAtTheRPID(t *testing.T) {
	h := newInstallTemplate(t)
	w := h.world(t)
	right := `{"manage":"https://id.example.com/account/passkeys","enroll":"https://id.example.com/account/passkeys/add","more":1}`
	for what, c := range map[string]struct {
		status     int
		body, want string
		code       int
	}{
		"right":      {http.StatusOK, right, "ok", exit.OK},
		"missing":    {http.StatusNotFound, right, "answers with status 404", exit.Findings},
		"redirected": {http.StatusFound, right, "answers with status 302", exit.Findings},
		"no JSON":    {http.StatusOK, "<html>", "is no JSON object", exit.Findings},
		"other":      {http.StatusOK, strings.ReplaceAll(right, "id.", "old."), `names the pages "https://old.example.com`, exit.Findings},
	} {
		host := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Host != "example.com" || r.URL.Path != "/.well-known/passkey-endpoints" {
				t.Errorf("%s: asked for %s%s", what, r.Host, r.URL.Path)
			}
			rw.Header().Set("Location", "/elsewhere")
			rw.WriteHeader(c.status)
			fmt.Fprint(rw, c.body)
		}))
		t.Cleanup(host.Close)
		code, printed := w.at("https://id.example.com", "SIGNET_PASSKEYS_RP_ID=example.com", "SIGNET_OUTBOUND_PROXY="+tunnel(t, host.Listener.Addr().String()), "SIGNET_OUTBOUND_EXTRA_CA="+authorityFile(t, host)).
			command("", "passkeys", "check", "--json")
		if code != c.code || c.code == exit.Findings && !strings.Contains(printed, strings.ReplaceAll(c.want, `"`, `\"`)) {
			t.Errorf("%s: exit code %d, %s; want %d, %s", what, code, printed, c.code, c.want)
		}
	}
	if code, _ := w.at("https://192.0.2.1").command("", "passkeys", "check"); code != exit.Denied {
		t.Errorf("without passkeys on offer: exit code %d, want %d", code, exit.Denied)
	}
}
