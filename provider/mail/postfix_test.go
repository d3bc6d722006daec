package mail_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/provider/mail"
)

// postfix is a running Postfix that delivers all mails of example.com to one file.
type postfix struct {
	starttls, tls int // ports
	roots         *x509.CertPool
	mailbox       string
}

// TestServer_Postfix sends to a real Postfix: over STARTTLS and TLS, with refused and greylisted
// recipients. It needs root, because Postfix does; `make prepare-soak` installs the program.
func TestServer_Postfix(t *testing.T) {
	if os.Getenv("SIGNET_SOAK") == "" {
		return
	}
	p := startPostfix(t)
	from, err := mail.ParseSender("Example <no-reply@example.com>")
	if err != nil {
		t.Fatal(err)
	}
	c := mail.Config{Host: "127.0.0.1", Port: p.starttls, From: from, Roots: p.roots, Name: "id.example.com"}
	idn := to("O'Hara@BÜCHER.example")
	list := []mail.Message{to("ada@example.com"), to("grey@example.com"), to("none@example.com"), idn, to("bob@example.com")}
	server := mail.NewServer(c, 20*time.Second)
	wantCodes(t, codesOf(t, server.Send(t.Context(), list)), "", "status_450", "status_550 final", "status_554 final", "")
	server.Close()
	c.Port, c.Encryption = p.tls, mail.TLS
	server = mail.NewServer(c, 20*time.Second)
	wantCodes(t, codesOf(t, server.Send(t.Context(), []mail.Message{to("eve@example.com")})), "")
	server.Close()
	c.Roots = x509.NewCertPool()
	server = mail.NewServer(c, 20*time.Second)
	wantCodes(t, codesOf(t, server.Send(t.Context(), []mail.Message{to("eve@example.com")})), "certificate_refused")

	deadline := time.After(30 * time.Second)
	for {
		content, _ := os.ReadFile(p.mailbox)
		if strings.Count(string(content), "\nAuto-Submitted: auto-generated") == 3 {
			for _, want := range []string{"Delivered-To: ada@example.com", "Delivered-To: bob@example.com", "Delivered-To: eve@example.com", "multipart/alternative", "=?UTF-8?"} {
				if !strings.Contains(string(content), want) {
					t.Errorf("%q is not in the mailbox:\n%s", want, content)
				}
			}
			return
		}
		select {
		case <-deadline:
			t.Fatalf("the mails were not delivered:\n%s", content)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func startPostfix(t *testing.T) *postfix {
	t.Helper()
	program, err := exec.LookPath("postfix")
	if err != nil {
		if program = "/usr/sbin/postfix"; !exists(program) {
			t.Fatal("needs Postfix: run make prepare-soak, or apt-get install postfix")
		}
	}
	if os.Geteuid() != 0 {
		t.Fatal("needs root, because Postfix starts its processes as different users")
	}
	owner, err := user.Lookup("postfix")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(owner.Uid)
	dir, err := os.MkdirTemp("", "signet-postfix-") // the users of Postfix cannot enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, folder := range []string{"", "etc", "queue", "data", "box"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil && folder != "" {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"data", "box"} {
		if err := os.Chown(filepath.Join(dir, folder), uid, -1); err != nil {
			t.Fatal(err)
		}
	}
	p := &postfix{roots: x509.NewCertPool(), mailbox: filepath.Join(dir, "box", "all"), starttls: freePort(t), tls: freePort(t)}
	certified := httptest.NewTLSServer(nil)
	key, err := x509.MarshalPKCS8PrivateKey(certified.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	p.roots.AddCert(certified.Certificate())
	certified.Close()
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("tls.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certified.Certificate().Raw})))
	write("main.cf", strings.NewReplacer("DIR", dir, "UID", owner.Uid, "GID", owner.Gid).Replace(`compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
maillog_file_prefixes = DIR
maillog_file = DIR/log
myhostname = mail.example.com
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
smtpd_tls_chain_files = DIR/etc/tls.pem
smtpd_tls_security_level = encrypt
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{ {none@example.com = 550 no such user} {grey@example.com = 450 come back later} }
virtual_mailbox_domains = example.com
virtual_mailbox_base = DIR/box
virtual_mailbox_maps = static:all
virtual_uid_maps = static:UID
virtual_gid_maps = static:GID
virtual_minimum_uid = 1
`))
	write("master.cf", fmt.Sprintf(`127.0.0.1:%d inet n - n - - smtpd
127.0.0.1:%d inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
`, p.starttls, p.tls))
	run := func(command string) ([]byte, error) {
		return exec.Command(program, "-c", filepath.Join(dir, "etc"), command).CombinedOutput()
	}
	if out, err := run("start"); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Fatalf("start Postfix: %v: %s%s", err, out, log)
	}
	t.Cleanup(func() { _, _ = run("stop") })
	return p
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
