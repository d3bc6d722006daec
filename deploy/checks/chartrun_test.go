package checks_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func newMasterKey() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never returns an error
	return base64.StdEncoding.EncodeToString(key[:])
}

// TestChart_RunsWithSQLite runs the Pod of the StatefulSet on a volume: first new, then after
// kubelet has given its files to the fsGroup again, and then as another user of that group.
func TestChart_RunsWithSQLite(t *testing.T) {
	r := render(t, values(t, "settings: {issuer: https://id.example.com/auth}\nsecrets: {google.client_secret: {name: google, key: secret}}\nextraEnv: [{name: SIGNET_GOOGLE_CLIENT_ID, value: a}]\n"))
	c := &cluster{secrets: map[string]map[string]string{"google": {"secret": "s3cret-of-google\n"}}}
	c.newVolume(t)
	p := c.newInstance(t, r)
	group := int(*p.spec.SecurityContext.FSGroup)

	// A new ext4 file system belongs to root and has mode 0755.
	must(t, os.Chmod(c.volume, 0o755))
	setVolumeOwnership(t, c.volume, group)
	if state, err := os.Stat(c.volume); err != nil || state.Mode() != os.ModeDir|os.ModeSetgid|0o775 {
		t.Fatal(state, err)
	}
	p.start(t)
	p.wantQuiet(t)
	if !strings.Contains(p.said(t), "/auth/setup") {
		t.Errorf("the log has no link for the first administrator:\n%s", p.said(t))
	}
	out, err := p.command(t, "setup-link").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "https://id.example.com/auth/setup") {
		t.Errorf("kubectl exec … signet setup-link: %v %s", err, out)
	}
	for _, args := range [][]string{{"health"}, {"health", "--live"}, {"user", "list"}, {"config", "check"}, {"backup", "/tmp/signet.db"}} {
		if out, err := p.command(t, args...).CombinedOutput(); err != nil {
			t.Errorf("kubectl exec … signet %s: %v %s", strings.Join(args, " "), err, out)
		}
	}
	p.stop(t)

	setVolumeOwnership(t, c.volume, group)
	if state, err := os.Stat(filepath.Join(c.volume, "signet/master.key")); err != nil || state.Mode().Perm() != 0o660 {
		t.Fatal(state, err)
	}
	p.start(t)
	p.wantQuiet(t)
	p.stop(t)

	setVolumeOwnership(t, c.volume, group)
	other := int64(1000710000) // like the users of OpenShift
	p.spec.SecurityContext.RunAsUser, p.spec.SecurityContext.RunAsGroup = &other, new(int64)
	p.start(t)
	p.wantQuiet(t)
	p.stop(t)

	// A master key that others can read is still refused.
	must(t, os.Chmod(filepath.Join(c.volume, "signet/master.key"), 0o664))
	out, err = p.command(t, "serve").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "other users can read /data/signet/master.key (mode 0664): as its owner, run: chmod 660 /data/signet/master.key") {
		t.Errorf("with a master key that others can read: %v %s", err, out)
	}
}

// TestChart_RunsWithPostgreSQL runs two Pods of the Deployment on one PostgreSQL.
func TestChart_RunsWithPostgreSQL(t *testing.T) {
	cert, key := newCertificate(t)
	r := render(t, values(t, postgres+"tls: {existingSecret: tls}\n"))
	c := &cluster{secrets: map[string]map[string]string{
		"db": {"url": startPostgres(t) + "\n"}, "key": {"master-key": newMasterKey() + "\n"}, "tls": {"tls.crt": cert, "tls.key": key},
	}}
	first := c.newInstance(t, r)
	first.start(t)
	first.wantQuiet(t)
	second := c.newInstance(t, r)
	second.start(t)
	second.wantQuiet(t)
	// The notes show this command.
	out, err := second.command(t, "setup-link").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "https://id.example.com/setup") {
		t.Errorf("kubectl exec … signet setup-link: %v %s", err, out)
	}
	first.stop(t)
	must(t, second.probe(t, second.spec.Containers[0].ReadinessProbe))
	second.stop(t)
}

// newVolume makes an empty volume.
func (c *cluster) newVolume(t *testing.T) {
	t.Helper()
	folder, err := os.MkdirTemp("", "signet-volume-")
	must(t, err)
	c.volume = folder
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
}

// bind mounts a folder at another place until the test ends.
func bind(t *testing.T, folder, at string) {
	t.Helper()
	must(t, os.MkdirAll(at, 0o755))
	if err := syscall.Mount(folder, at, "", syscall.MS_BIND, ""); err != nil {
		t.Fatalf("mount %s: %v", at, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(at, syscall.MNT_DETACH) })
}

// newCertificate returns a certificate and its key in PEM form.
func newCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "id.example.com"}, DNSNames: []string{"id.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
	}
	content, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	sealed, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: content})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: sealed}))
}
