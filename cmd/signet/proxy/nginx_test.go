package proxy_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// startNginx runs nginx with deploy/proxy/nginx.conf. It changes only addresses and paths.
func startNginx(t *testing.T, e *entrance, nodes []string) {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatal("there is no nginx: apt-get install nginx")
	}
	block := withNodes(t, "nginx.conf", nodes,
		"listen 443 ", "listen "+e.https+" ", "listen 80;", "listen "+e.http+";",
		"listen [::]:443 ssl http2;", onIPv6(e.https, " ssl http2"), "listen [::]:80;", onIPv6(e.http, ""),
		"/etc/nginx/", e.folder+"/",
	)
	if strings.Contains(block, "buffer") || strings.Contains(block, "_size") {
		t.Fatalf("deploy/proxy/nginx.conf sets limits of its own: %s", block)
	}
	runNginx(t, program, e.folder, block)
}

// runNginx runs the program with blocks of configuration, in a folder, until the test ends.
func runNginx(t *testing.T, program, folder, blocks string) {
	t.Helper()
	var folders strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&folders, "%s_temp_path %s;\n", kind, filepath.Join(folder, kind))
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root root;"
	}
	config := fmt.Sprintf("daemon off;\n%s\npid %s;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%s%s}\n", user, filepath.Join(folder, "pid"), folders.String(), blocks)
	file := writeFile(t, folder, "nginx.conf", config)
	runProxy(t, folder, program, "-e", "stderr", "-p", folder, "-c", file)
}

// onIPv6 returns the directive that listens on the port of an address, on loopback of IPv6. It
// returns an empty text if this machine has no IPv6.
func onIPv6(address, options string) string {
	_, port, _ := net.SplitHostPort(address)
	try, err := net.Listen("tcp", "[::1]:"+port)
	if err != nil {
		return ""
	}
	try.Close()
	return "listen [::1]:" + port + options + ";"
}
