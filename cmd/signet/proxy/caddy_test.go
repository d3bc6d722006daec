package proxy_test

import (
	"fmt"
	"net"
	"os/exec"
	"testing"
)

// startCaddy runs Caddy with deploy/proxy/Caddyfile. It adds the certificate, since Caddy
// would request one for a public name, and the addresses.
func startCaddy(t *testing.T, e *entrance, nodes []string) {
	t.Helper()
	program, err := exec.LookPath("caddy")
	if err != nil {
		t.Fatal("there is no caddy: apt-get install caddy")
	}
	_, https, _ := net.SplitHostPort(e.https)
	_, http, _ := net.SplitHostPort(e.http)
	block := withNodes(t, "Caddyfile", nodes, "id.example.com {", fmt.Sprintf("id.example.com {\n\ttls %[1]s/tls.crt %[1]s/tls.key", e.folder))
	file := writeFile(t, e.folder, "Caddyfile", fmt.Sprintf("{\n\tadmin off\n\tdefault_bind 127.0.0.1\n\thttp_port %s\n\thttps_port %s\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n%s", http, https, block))
	runProxy(t, e.folder, program, "run", "--config", file, "--adapter", "caddyfile")
}
