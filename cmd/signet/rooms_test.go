package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowedImports lists every package with the packages of this module that it may import. Imports go
// one way, so that a reader sees at once what a package can depend on.
var allowedImports = func() map[string][]string {
	ground := []string{"federation/foreign", "storage", "federation", "templates", "templates/words", "static"}
	tools := join(ground, "provider/web", "provider/keys", "provider/outbound")
	carriers := join(tools, "provider/request", "provider/session", "provider/subject")
	deciders := join(carriers, "provider/credential", "provider/factor", "provider/passkey", "provider/notice", "provider/link", "provider/mail")
	rulers := join(deciders, "provider/visit", "provider/directory")
	pages := join(rulers, "provider/flow", "provider/interaction", "provider/recovery", "provider/signup", "provider/address", "provider/account", "provider/admin", "provider/admin/api", "provider/firstparty")
	// Only a few packages may revoke a key or decrypt a private key. The others use a ring, which
	// can only sign and verify.
	keepers := []string{"provider/keys/keeper", "provider/keys/vault"}
	tests := []string{"provider/mail/mailtest", "provider/passkey/passkeytest", "storage/storagetest", "federation/federationtest", "provider/keys/keystest"}
	// The program: the commands import the process and the demo of `signet dev`, and both import
	// the settings.
	settings := []string{"provider/spelling", "cmd/signet/exit", "cmd/signet/socket"}
	process := join(settings, "cmd/signet/config", "cmd/signet/node")
	commands := join(process, "cmd/signet/cli", "federation/foreign", "storage", "provider/credential", "provider/directory")
	return map[string][]string{
		"static":                    {},
		"provider/spelling":         {},
		"federation/foreign":        {},
		"storage/engine":            {},
		"storage":                   {"federation/foreign", "storage/engine"},
		"storage/storagetest":       {"storage"},
		"federation":                {"federation/foreign"},
		"federation/federationtest": {"federation/foreign", "federation"},
		"templates/words":           {"federation/foreign"},
		"templates":                 {"federation/foreign", "static", "templates/words"},
		"provider/web":              ground,
		"provider/keys":             {"storage", "provider/keys/vault"},
		"provider/keys/openssl":     {},
		"provider/keys/vault":       {"storage", "provider/keys/openssl"},
		"provider/keys/keeper":      {"storage", "provider/keys", "provider/keys/vault"},
		"provider/keys/keystest":    {"storage", "provider/keys", "provider/keys/vault", "provider/keys/keeper", "provider/keys/openssl"},
		"provider/keys/pkcs11":      {"storage", "provider/keys", "provider/keys/vault", "provider/keys/keeper"},
		"provider/outbound":         ground,
		"provider/request":          tools,
		"provider/session":          tools,
		"provider/subject":          {"storage", "provider/keys"},
		"provider/credential":       carriers,
		"provider/factor":           join(carriers, "provider/credential"),
		"provider/mail":             {"federation/foreign", "federation"},
		"provider/mail/mailtest":    {},
		"provider/link":             {"storage", "provider/keys", "provider/web", "templates/words"},
		"provider/notice":           join(carriers, "provider/link", "provider/mail"),
		"provider/webhook":          {"federation", "storage", "provider/directory"},
		"provider/assertion":        {"federation/foreign", "storage", "federation", "provider/web"},
		"provider/flow":             carriers,
		"provider/upkeep":           {"storage", "provider/web"},
		"provider/passkey":          {"storage", "provider/keys", "provider/web"},
		"provider/visit":            join(carriers, "provider/credential", "provider/factor", "provider/passkey", "provider/logo"),
		"provider/directory":        {"provider/spelling", "federation/foreign", "federation", "storage", "provider/keys", "provider/credential", "provider/outbound"},
		"provider/logo":             {"storage", "static", "provider/web", "provider/request"},
		"provider/interaction":      join(rulers, "provider/flow", "provider/logo"),
		"provider/recovery":         rulers,
		"provider/signup":           join(rulers, "provider/flow"),
		"provider/address":          rulers,
		"provider/account":          rulers,
		"provider/admin":            join(rulers, "provider/keys/keeper", "provider/flow"),
		"provider/admin/api":        join(rulers, "provider/flow", "provider/keys/keeper"),
		"provider/firstparty":       join(rulers, "provider/flow"),
		"provider/front":            {"storage", "static", "templates/words", "provider/web", "provider/keys", "provider/upkeep"},
		"provider/oauth":            join(rulers, "provider/flow", "provider/upkeep", "provider/firstparty", "provider/assertion"),
		"provider":                  slices.Concat(pages, keepers, []string{"provider/keys/openssl", "provider/upkeep", "provider/front", "provider/oauth", "provider/assertion", "provider/logo", "provider/webhook"}),
		"provider/races":            {}, // only tests
		"provider/accountstates":    {}, // only tests
		"provider/providertest":     slices.Concat(pages, keepers, tests, []string{"provider", "provider/assertion"}),

		"provider/passkey/passkeytest": {},

		"cmd/signet/exit": {"federation/foreign", "federation", "storage", "provider/credential", "provider/directory", "provider/keys", "provider/keys/keeper", "provider/keys/vault"}, // for the errors of these packages
		"cmd/signet/config": join(settings, "federation/foreign", "federation", "storage", "provider", "provider/credential", "provider/directory", "provider/keys", "provider/keys/keeper",
			"provider/keys/pkcs11", "provider/keys/openssl", "provider/mail", "provider/outbound", "provider/webhook"),
		"cmd/signet/socket":     {"cmd/signet/exit", "provider/web", "storage"}, // for the limits of networks
		"cmd/signet/supervisor": {},
		"cmd/signet/node": join(settings, "cmd/signet/config", "cmd/signet/supervisor", "storage", "provider", "provider/web", "provider/credential", "provider/directory", "provider/outbound",
			"provider/link", "provider/subject", "provider/keys", "provider/keys/vault", "provider/keys/pkcs11", "provider/keys/openssl"),
		"cmd/signet/demo": join(process, "static", "templates", "templates/words", "federation/foreign", "federation", "federation/federationtest", "storage", "provider",
			"provider/web", "provider/directory", "provider/interaction", "provider/mail"),
		"cmd/signet/cli":        join(process, "federation/foreign", "storage", "provider/directory"),
		"cmd/signet/user":       join(commands, "federation", "templates", "provider/link"),
		"cmd/signet/client":     join(commands, "cmd/signet/user", "provider/flow"),
		"cmd/signet/keys":       slices.Concat(commands, keepers, []string{"provider/keys", "templates"}),
		"cmd/signet/signettest": slices.Concat(pages, keepers, tests, commands, []string{"provider", "cmd/signet/demo", "cmd/signet/program"}),
		"cmd/signet/cluster":    {}, // only tests, like the ten below
		"cmd/signet/guides":     {},
		"cmd/signet/proxy":      {},
		"cmd/signet/parties":    {},
		"cmd/signet/browser":    {},
		"cmd/signet/keyboard":   {},
		"cmd/signet/ways":       {},
		"cmd/signet/frames":     {},
		"cmd/signet/journeys":   {},
		"cmd/signet/pages":      {},
		"cmd/signet/example":    {},
		"cmd/signet/program":    slices.Concat(pages, keepers, commands, []string{"provider", "provider/keys/openssl", "provider/keys/pkcs11", "cmd/signet/demo", "cmd/signet/user", "cmd/signet/client", "cmd/signet/keys", "cmd/signet/supervisor"}),
		"cmd/signet":            {"cmd/signet/program"},
	}
}()

// testPackages are only for tests. The program must not import them.
var testPackages = map[string]string{
	"storage/storagetest":          "it creates temporary databases: only tests may import it",
	"provider/keys/keystest":       "it creates keys with a public master key: only tests may import it",
	"provider/passkey/passkeytest": "it is an authenticator: only tests may import it",
	"provider/mail/mailtest":       "it is a mail server: only tests may import it",
	"provider/providertest":        "it starts a provider and acts as its users: only tests may import it",
	"cmd/signet/signettest":        "it runs the program and acts as its users: only tests may import it",
	"federation/federationtest":    "it imitates Google and GitHub: only tests and `signet dev` may import it, so that `signet serve` cannot use it",
}

// externalPackages lists the packages that may import an external package. An entry includes all
// packages below it.
var externalPackages = []struct {
	packages []string
	rooms    []string
	inTests  bool // every test may import it too
	reason   string
}{
	{[]string{"gorm.io"},
		[]string{"storage", "storage/engine", "storage/storagetest"}, false,
		"only storage uses SQL, because it decides with one conditional write whether an act happens"},
	{[]string{"database/sql", "github.com/mattn/go-sqlite3", "modernc.org/sqlite", "github.com/jackc/pgx"},
		[]string{"storage/engine", "storage/storagetest"}, true, // a test may act as the thief of a database
		"only storage uses SQL, because it decides with one conditional write whether an act happens"},
	{[]string{"github.com/zitadel/oidc"},
		[]string{"provider/oauth"}, true, // its relying party checks ours independently
		"only provider/oauth uses the OpenID library, so that its types stay there"},
	{[]string{"github.com/go-jose/go-jose"},
		[]string{"provider", "provider/keys", "federation"}, true,
		"provider/keys signs and verifies our tokens, with one verifier per kind, and federation those of upstreams"},
	{[]string{"github.com/miekg/pkcs11"},
		[]string{"provider/keys/pkcs11"}, true,
		"only one package calls PKCS #11: the others use a crypto.Signer"},
	{[]string{"github.com/ebitengine/purego"},
		[]string{"provider/keys/openssl"}, true,
		"only one package calls OpenSSL, and only in builds with cgo: the static binary must not be linked to the C library"},
	{[]string{"golang.org/x/oauth2", "github.com/coreos/go-oidc"},
		[]string{"federation", "cmd/signet/demo"}, true,
		"only federation and the demo of `signet dev` are relying parties"},
	{[]string{"github.com/spf13/cobra", "github.com/spf13/pflag", "flag"},
		[]string{"cmd/signet/program", "cmd/signet/cli", "cmd/signet/user", "cmd/signet/client", "cmd/signet/keys"}, true, // -update is a flag of tests
		"only the commands know flags: the packages below them take values"},
	{[]string{"go.yaml.in/yaml"},
		[]string{"cmd/signet/config"}, true,
		"only cmd/signet/config reads the settings file, so that there is one reader"},
	{[]string{"github.com/nicksnyder/go-i18n", "github.com/BurntSushi/toml"},
		[]string{"templates/words"}, true,
		"only templates/words reads the files of sentences: the other packages name a sentence and its values"},
	{[]string{"github.com/coreos/go-systemd"},
		[]string{"cmd/signet/supervisor", "cmd/signet/socket"}, true,
		"only cmd/signet/supervisor sends messages to the service manager, and only cmd/signet/socket takes its sockets"},
	{[]string{"os/signal"},
		[]string{"cmd/signet/program", "cmd/signet/node"}, true,
		"only cmd/signet/program (to end) and cmd/signet/node (to reload settings) handle signals"},
	{[]string{"github.com/wneessen/go-mail"},
		[]string{"provider/mail"}, false,
		"only provider/mail speaks to the mail server: it limits times and checks addresses"},
	{[]string{"github.com/pquerna/otp", "github.com/boombuler/barcode"},
		[]string{"provider/factor"}, true, // a test may be an authenticator app
		"only provider/factor makes codes and QR codes"},
	{[]string{"github.com/go-webauthn/webauthn"},
		[]string{"provider/passkey"}, false,
		"only provider/passkey runs ceremonies of WebAuthn: it binds each challenge to its page"},
	{[]string{"github.com/emersion/go-smtp", "github.com/emersion/go-sasl"},
		nil, true,
		"it is the mail server of the tests"},
	{[]string{"github.com/rogpeppe/go-internal"},
		nil, true,
		"it runs the test scripts"},
	{[]string{"github.com/santhosh-tekuri/jsonschema"},
		[]string{"provider/admin/api"}, true, // a test reads the JSON Schema of the settings like an editor
		"only provider/admin/api checks bodies by a schema: protocol endpoints have their own parsers"},
	{[]string{"github.com/danielgtaylor/huma"},
		[]string{"provider/admin/api"}, false,
		"only the administration API is described by an OpenAPI document"},
	{[]string{"github.com/getkin/kin-openapi"},
		nil, true,
		"it checks the OpenAPI document"},
	{[]string{"text/template"},
		[]string{"templates/say.go", "templates/words/usage_test.go"}, false, // only text/template/parse, see TestPages_NoTrustedStrings
		"it does not escape: pages and mails use html/template"},
}

// forbiddenPackages lists packages that these packages must not import, unlike the others.
var forbiddenPackages = []struct {
	pkg    string
	rooms  []string
	reason string
}{
	{"net/http",
		[]string{"provider/flow"},
		"it must not know HTTP: endpoints, status codes and redirects belong to the packages above it"},
}

// forbiddenNames lists names of external packages that only some packages may use.
var forbiddenNames = []struct {
	pkg    string
	names  []string
	rooms  []string
	reason string
}{
	{"net/http", []string{"Get", "Head", "Post", "PostForm", "DefaultClient"},
		nil,
		"the default client has no time limit and calls any address: use the *http.Client of provider/outbound"},
	{"net/http", []string{"Client"},
		[]string{"cmd/signet/node", "cmd/signet/demo", "provider/outbound"}, // the health check and the demo call only this machine
		"only one client calls other hosts, and it checks addresses, sizes and times: use the *http.Client of provider/outbound"},
	{"time", []string{"NewTicker", "Tick"},
		[]string{"cmd/signet/node"},
		"a periodic job is a method …Once(ctx, at); only cmd/signet/node uses tickers"},
	{"os", []string{"Getenv", "LookupEnv", "Environ", "Args"},
		[]string{"cmd/signet/program"},
		"only cmd/signet/program reads arguments and environment, and passes them on as settings"},
	{"html/template", []string{"HTML", "HTMLAttr", "JS", "JSStr", "CSS", "URL", "Srcset"},
		[]string{"templates/say.go"}, // it prints sentences whose values package words has escaped
		"it marks a string of any origin as safe: pages must be escaped by context"},
}

func join(rooms []string, more ...string) []string { return slices.Concat(rooms, more) }

func TestRooms_ImportsGoOneWay(t *testing.T) {
	read := 0
	eachGoFile(t, "../..", func(name string, source []byte) {
		read++
		for _, wrong := range wrongIn(t, name, source) {
			t.Error(wrong)
		}
	})
	if read < len(allowedImports)/2 {
		t.Fatalf("read %d Go files: this is not the root of the repository", read)
	}
}

// A program that is built without cgo must run without any library of the machine. The package
// purego would link it to the C library.
func TestRooms_StaticProgramLoadsNoLibrary(t *testing.T) {
	for cgo, want := range map[string]bool{"0": false, "1": true} {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", ".")
		list.Env = append(os.Environ(), "CGO_ENABLED="+cgo, "GOOS=linux", "GOARCH=amd64")
		out, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(out), "github.com/ebitengine/purego"); got != want {
			t.Errorf("CGO_ENABLED=%s: the program has purego: %v", cgo, got)
		}
	}
}

func TestRooms_EachHasADocFile(t *testing.T) {
	root := "../.."
	packages := map[string]bool{}
	eachGoFile(t, root, func(name string, _ []byte) { packages[path.Dir(name)] = true })
	for room := range packages {
		if _, err := os.Stat(filepath.Join(root, room, "doc.go")); err != nil {
			t.Errorf("%s has no doc.go: describe there what the package owns, which rule it keeps and what it does not know", room)
		}
	}
}

// The tests above can fail, and their errors name the reason.
func TestRooms_WrongImportIsReported(t *testing.T) {
	for _, c := range []struct{ file, source, want string }{
		{"storage/client.go", `import "signet/templates"`, "storage may not import signet/templates"},
		{"storage/client.go", `import "database/sql"`, "only storage uses SQL"},
		{"storage/engine/writer.go", `import "signet/storage"`, "storage/engine may not import signet/storage"},
		{"provider/token.go", `import "signet/storage/engine"`, "provider may not import signet/storage/engine"},
		{"provider/directory/client.go", `import "signet/provider/web"`, "provider/directory may not import signet/provider/web"},
		{"provider/credential/check.go", `import "signet/provider/directory"`, "provider/credential may not import"},
		{"templates/page.go", `import "signet/storage"`, "templates may not import signet/storage"},
		{"provider/keys/ring.go", `import "signet/provider/session"`, "provider/keys may not import"},
		{"provider/keys/ring.go", `import "signet/provider/keys/keeper"`, "provider/keys may not import"},
		{"provider/keys/keeper/report.go", `import "signet/templates"`, "provider/keys/keeper may not import"},
		{"provider/session/session.go", `import "signet/provider/keys/vault"`, "provider/session may not import"},
		{"provider/keys/vault/vault.go", `import "signet/provider/keys/keystest"`, "only tests may import it"},
		{"provider/session/session.go", `import "signet/provider/request"`, "provider/session may not import"},
		{"provider/flow/issue.go", `import "signet/provider/interaction"`, "provider/flow may not import"},
		{"provider/flow/next.go", `import "net/http"`, "must not know HTTP"},
		{"provider/oauth/token.go", `import "signet/provider"`, "provider/oauth may not import"},
		{"provider/serve.go", `import "signet/cmd/signet"`, "provider may not import"},
		{"provider/provider.go", `import "signet/storage/storagetest"`, "only tests may import it"},
		{"provider/session/session.go", `import "signet/provider"`, "provider/session may not import"},
		{"provider/session/session.go", `import "signet/provider/providertest"`, "only tests may import it"},
		{"storage/session_test.go", `import "signet/provider"`, "storage may not import"},
		{"storage/storagetest/each.go", `import "signet/provider/providertest"`, "storage/storagetest may not import"},
		{"cmd/signet/serve.go", `import "signet/federation/federationtest"`, "only tests and `signet dev`"},
		{"util/strings.go", ``, "util is not in the table"},
		{"provider/session/row.go", `import "gorm.io/gorm"`, "only storage uses SQL"},
		{"provider/oauth/token.go", `import "database/sql"`, "only storage uses SQL"},
		{"provider/oauth/token_test.go", `import "gorm.io/gorm"`, "only storage uses SQL"},
		{"provider/web/op.go", `import "github.com/zitadel/oidc/v3/pkg/op"`, "only provider/oauth uses the OpenID library"},
		{"storage/jwk.go", `import "github.com/go-jose/go-jose/v4"`, "one verifier per kind"},
		{"cmd/signet/serve.go", `import "golang.org/x/oauth2"`, "demo of `signet dev`"},
		{"provider/mail.go", `import "text/template"`, "does not escape"},
		{"provider/account/mail.go", `import "github.com/nicksnyder/go-i18n/v2/i18n"`, "only templates/words reads"},
		{"provider/flags.go", `import "flag"`, "only the commands know flags"},
		{"cmd/signet/config/flags.go", `import "github.com/spf13/cobra"`, "only the commands know flags"},
		{"cmd/signet/client.go", `import "go.yaml.in/yaml/v3"`, "only cmd/signet/config reads"},
		{"cmd/signet/config/listen.go", `import "signet/cmd/signet/node"`, "cmd/signet/config may not import"},
		{"cmd/signet/node/pretend.go", `import "signet/cmd/signet/demo"`, "cmd/signet/node may not import"},
		{"cmd/signet/events.go", `import "time"; var _ = time.NewTicker`, "only cmd/signet/node uses tickers"},
		{"provider/fetch.go", `import "net/http"; var _ = http.DefaultClient`, "http.DefaultClient: the default client"},
		{"federation/fetch.go", `import web "net/http"; var _ = web.Get`, "http.Get: the default client"},
		{"federation/client.go", `import "net/http"; var _ = &http.Client{}`, "http.Client: only one client calls"},
		{"storage/sweep.go", `import "time"; var _ = time.Tick`, "only cmd/signet/node uses tickers"},
		{"storage/open.go", `import "os"; var _ = os.Getenv`, "only cmd/signet/program reads"},
		{"templates/raw.go", `import "html/template"; var _ = template.HTML("")`, "escaped by context"},
	} {
		got := wrongIn(t, c.file, []byte("package x\n"+c.source))
		if len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%s with %q: got %q, want one line with %q", c.file, c.source, got, c.want)
		}
	}
}

func TestRooms_RightImportIsAccepted(t *testing.T) {
	for _, c := range []struct{ file, source string }{
		{"storage/db.go", `import "gorm.io/gorm"`},
		{"provider/oauth/discovery.go", `import ("signet/provider/flow"; "github.com/zitadel/oidc/v3/pkg/op")`},
		{"provider/session/session_test.go", `import ("signet/storage/storagetest"; "golang.org/x/oauth2"; "net/http"; "time"); var _, _ = http.DefaultClient, time.Tick`},
		{"provider/session/session_test.go", `import ("signet/provider"; "signet/provider/providertest"; "signet/provider/keys/vault")`},
		{"cmd/signet/user/identity_test.go", `import ("signet/cmd/signet/program"; "signet/provider")`},
		{"provider/providertest/thief.go", `import ("database/sql"; "signet/provider"; "signet/storage/storagetest")`},
		{"cmd/signet/demo/page.go", `import ("golang.org/x/oauth2"; "signet/federation/federationtest")`},
		{"provider/outbound/client.go", `import "net/http"; var _ = http.Client{}`},
		{"federation/oidc.go", `import "net/http"; func fetch(c *http.Client) {}`},
	} {
		if got := wrongIn(t, c.file, []byte("package x\n"+c.source)); len(got) != 0 {
			t.Errorf("%s with %q: got %q, want nothing", c.file, c.source, got)
		}
	}
}

// eachGoFile calls do for every Go file below root, with its path relative to root and with slashes.
// It skips the examples, which are written like programs of users, and modules of their own, which
// the program cannot import.
func eachGoFile(t *testing.T, root string, do func(name string, source []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() == "examples") {
			return fs.SkipDir
		}
		if d.IsDir() && file != root {
			if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil {
				return fs.SkipDir
			}
		}
		if d.IsDir() || filepath.Ext(file) != ".go" {
			return nil
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		do(filepath.ToSlash(name), source)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wrongIn returns one line for each violation of the tables above in a file.
func wrongIn(t *testing.T, name string, source []byte) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if _, known := allowedImports[path.Dir(name)]; !known {
		return []string{fmt.Sprintf("%s: %s is not in the table of packages: a new package needs a noun of its own and a line in this test", name, path.Dir(name))}
	}
	var wrong []string
	names := map[string]string{} // name in this file → import path
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		names[path.Base(imported)] = imported
		if spec.Name != nil {
			names[spec.Name.Name] = imported
		}
		if reason := wrongImport(name, imported); reason != "" {
			wrong = append(wrong, name+": "+reason)
		}
	}
	if _, testRoom := testPackages[path.Dir(name)]; !testRoom && !strings.HasSuffix(name, "_test.go") {
		wrong = append(wrong, wrongNames(name, file, names)...)
	}
	return wrong
}

// wrongImport returns the reason why a file may not import a package; "" if it may.
func wrongImport(file, imported string) string {
	room, test := path.Dir(file), strings.HasSuffix(file, "_test.go")
	_, isTestPackage := testPackages[room]
	if ours, ok := strings.CutPrefix(imported, "signet/"); ok {
		reason, testRoom := testPackages[ours]
		switch {
		case ours == room, test && testRoom, test && mayImportInTest(room, ours):
			return ""
		case testRoom && !isTestPackage && !(ours == "federation/federationtest" && room == "cmd/signet/demo"):
			return fmt.Sprintf("%s may not import %s: %s", room, imported, reason)
		case !slices.Contains(allowedImports[room], ours):
			return fmt.Sprintf("%s may not import %s: imports go one way; it may import only %s", room, imported, strings.Join(allowedImports[room], ", "))
		}
		return ""
	}
	for _, rule := range forbiddenPackages {
		if imported == rule.pkg && slices.Contains(rule.rooms, room) && !test {
			return fmt.Sprintf("%s may not import %s: %s", room, imported, rule.reason)
		}
	}
	for _, rule := range externalPackages {
		for _, p := range rule.packages {
			if imported != p && !strings.HasPrefix(imported, p+"/") {
				continue
			}
			if allowed := slices.Contains(rule.rooms, room) || slices.Contains(rule.rooms, file) || (test || isTestPackage) && rule.inTests; !allowed {
				return fmt.Sprintf("%s may not import %s: %s", room, imported, rule.reason)
			}
		}
	}
	return ""
}

// mayImportInTest reports whether tests of a package may import a package because they are external
// tests. Those below provider may import everything that provider may, and those of cmd/signet and
// below everything that the program may: they use the endpoints of people, clients and operators.
func mayImportInTest(room, ours string) bool {
	seen := ""
	switch {
	case strings.HasPrefix(room, "provider/"):
		seen = "provider"
	case room == "cmd/signet", strings.HasPrefix(room, "cmd/signet/"):
		seen = "cmd/signet/program"
	}
	return seen != "" && (ours == seen || slices.Contains(allowedImports[seen], ours))
}

// wrongNames returns one line for each use of a forbidden name. A type in a signature
// (*http.Client) is allowed, creating a value is not.
func wrongNames(name string, file *ast.File, imports map[string]string) []string {
	var wrong []string
	types := map[ast.Expr]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StarExpr:
			types[n.X] = true
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			if !ok || types[n] {
				return true
			}
			for _, rule := range forbiddenNames {
				if imports[pkg.Name] == rule.pkg && slices.Contains(rule.names, n.Sel.Name) && !slices.Contains(rule.rooms, path.Dir(name)) && !slices.Contains(rule.rooms, name) {
					wrong = append(wrong, fmt.Sprintf("%s: %s.%s: %s", name, path.Base(rule.pkg), n.Sel.Name, rule.reason))
				}
			}
		}
		return true
	})
	return wrong
}
