package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
	"signet/storage"
)

// BenchmarkBesideCeilings measures `signet serve` over loopback against minimal servers: S answers
// static bytes, E checks a client and signs one ES256 token, and D also commits one row. It measures
// the CPU time of the server per operation, because other load on the machine affects it least. It
// reports the ratio to the minimal server of the same run, and sets no limit.
func BenchmarkBesideCeilings(b *testing.B) {
	spent := map[string]float64{}
	for _, kind := range []string{"S", "E", "D"} {
		b.Run(kind, func(b *testing.B) {
			address := fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(b))
			pid := startServer(b, "http://"+address+"/healthz", exec.Command("ceiling", kind, address, b.TempDir()), nil)
			spent[kind] = drive(b, pid, func(int) error { return expectOK(postForm("http://"+address+"/", "", "", url.Values{"a": {"b"}})) })
		})
	}
	l := startLoad(b, "signet", "ES256")
	for _, operation := range l.operations() {
		b.Run(operation.name, func(b *testing.B) { spent[operation.name] = drive(b, l.pid, operation.do) })
	}
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\noperation\tserver CPU µs\tceiling\tratio")
	for _, o := range l.operations() {
		fmt.Fprintf(w, "%s\t%.0f\t%s %.0f\t%.2f\n", o.name, spent[o.name], o.ceiling, spent[o.ceiling], spent[o.name]/spent[o.ceiling])
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	fmt.Println(table.String())
}

const connections = 16

// drive runs operations on 16 connections and returns the server's CPU time per operation in
// microseconds.
func drive(b *testing.B, pid int, do func(worker int) error) float64 {
	b.Helper()
	for worker := range connections {
		if err := do(worker); err != nil {
			b.Fatal(err)
		}
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	return driveAll(b, pid, func(worker int) error {
		for left.Add(-1) >= 0 {
			if err := do(worker); err != nil {
				return err
			}
		}
		return nil
	})
}

// driveAll is drive for workers that each do their own part of b.N operations.
func driveAll(b *testing.B, pid int, do func(worker int) error) float64 {
	b.Helper()
	before := cpuOf(b, pid)
	b.ResetTimer()
	eachWorker(b, do)
	b.StopTimer()
	cost := float64((cpuOf(b, pid) - before).Microseconds()) / float64(b.N)
	b.ReportMetric(cost, "server-µs/op")
	return cost
}

// eachWorker runs a function for all workers at once.
func eachWorker(b *testing.B, do func(worker int) error) {
	var all sync.WaitGroup
	for worker := range connections {
		all.Go(func() {
			if err := do(worker); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
}

// cpuOf returns the CPU time of a process: fields 14 and 15 of its stat, in ticks of 10 ms.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal("the CPU of another process is read from /proc: ", err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// startServer starts a server and waits until the address answers.
func startServer(b *testing.B, address string, command *exec.Cmd, env []string) int {
	b.Helper()
	log, err := os.Create(b.TempDir() + "/log") // write the log to a file, as in production
	if err != nil {
		b.Fatal(err)
	}
	command.Env, command.Stderr = append(os.Environ(), env...), log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		_ = log.Close()
	})
	for range 500 {
		if response, err := http.Get(address); err == nil {
			response.Body.Close()
			return command.Process.Pid
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.Fatalf("%s does not answer", address)
	return 0
}

func postForm(target, id, secret string, form url.Values) (*http.Response, error) {
	request, err := http.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		request.SetBasicAuth(id, secret)
	} else {
		request.SetBasicAuth("bench", ceilingSecret)
	}
	return signettest.Crowd.Do(request)
}

func expectOK(response *http.Response, err error) error {
	_, err = bodyOK(response, err)
	return err
}

func bodyOK(response *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return body, err
}

// load is a `signet serve` with its visitors and their first-party app.
type load struct {
	*signettest.Instance
	*visitors
	pid     int
	renewal []*http.Cookie // cookies of the first-party app, for each worker
}

// startLoad starts the program with an installation. Its client wants ID tokens with the algorithm.
// env are further settings.
func startLoad(b *testing.B, program, algorithm string, env ...string) *load {
	b.Helper()
	l := &load{Instance: signettest.NewInstance(b)}
	client := l.CreateClient(b, "--type", "web", "--redirect-uri", signettest.Nowhere, "--skip-consent", "--id-token-signed-response-alg", algorithm,
		"--grant-type", "authorization_code", "--grant-type", "refresh_token", "--grant-type", "client_credentials")
	l.CreateClient(b, "--id", "own", "--type", "spa", "--first-party", "--refresh-grace", "0s", "--redirect-uri", l.Issuer+"/")
	l.pid = startServer(b, l.Issuer+"/healthz", exec.Command(program, "serve"), append(l.Env, env...))
	l.visitors = admit(b, l.Issuer+"/authorize", l.Issuer+"/token", client, func(browser *signettest.FormBrowser) {
		browser.Send("login", "", map[string]string{"username": l.Email, "password": l.Password})
	})
	for range connections {
		l.renewal = append(l.renewal, &http.Cookie{Name: "refresh_token"})
	}
	return l
}

// visitors hold for each worker a signed-in browser and a chain of refresh tokens, at any provider.
type visitors struct {
	authorize, tokens string // endpoints
	client            signettest.CreatedClient
	browsers          []*signettest.FormBrowser
	held              []signettest.Tokens
}

// admit signs the visitors in. signIn submits the provider's form.
func admit(b *testing.B, authorize, tokens string, client signettest.CreatedClient, signIn func(*signettest.FormBrowser)) *visitors {
	b.Helper()
	v := &visitors{authorize: authorize, tokens: tokens, client: client}
	for range connections {
		browser := signettest.NewFormBrowser(b)
		browser.Open(v.authorizeURL())
		signIn(browser)
		got, err := v.redeem(browser.Left)
		if err != nil {
			b.Fatal(err)
		}
		v.browsers, v.held = append(v.browsers, browser), append(v.held, got)
	}
	return v
}

// ofApp sends a request like the first-party app in a worker's browser.
func (l *load) ofApp(worker int, method, path string, more ...*http.Cookie) (*http.Response, error) {
	request, err := http.NewRequest(method, l.Issuer+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Origin", l.Issuer)
	for _, cookie := range append(l.browsers[worker].Client.Jar.Cookies(request.URL), more...) {
		request.AddCookie(cookie)
	}
	return signettest.Crowd.Do(request)
}

// renew renews the app's cookies. The first time there are none, and the session is enough.
func (l *load) renew(worker int) error {
	response, err := l.ofApp(worker, http.MethodPost, "/refresh", l.renewal[worker])
	if err := expectOK(response, err); err != nil {
		return err
	}
	before := l.renewal[worker].Value
	for _, cookie := range response.Cookies() {
		if cookie.Name == "refresh_token" {
			l.renewal[worker] = cookie
		}
	}
	if l.renewal[worker].Value == before {
		return errors.New("no new refresh token")
	}
	return nil
}

func (v *visitors) authorizeURL() string {
	return v.authorize + "?" + url.Values{
		"client_id": {v.client.ID}, "redirect_uri": {signettest.Nowhere}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(signettest.CodeVerifier)}, "code_challenge_method": {"S256"},
	}.Encode()
}

func (v *visitors) token(form url.Values) (got signettest.Tokens, err error) {
	body, err := bodyOK(postForm(v.tokens, v.client.ID, v.client.Secret, form))
	if err == nil {
		err = json.Unmarshal(body, &got)
	}
	return got, err
}

// redeem redeems the code in a redirect to the client.
func (v *visitors) redeem(callback *url.URL) (signettest.Tokens, error) {
	return v.token(url.Values{"grant_type": {"authorization_code"}, "code": {callback.Query().Get("code")},
		"redirect_uri": {signettest.Nowhere}, "code_verifier": {signettest.CodeVerifier}})
}

func (v *visitors) refresh(worker int) (err error) {
	v.held[worker], err = v.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {v.held[worker].Refresh}})
	return err
}

// codeFlow gets a code with the session of the worker's browser, and redeems it. Its tokens
// replace those of the worker.
func (v *visitors) codeFlow(worker int) error {
	request, err := http.NewRequest(http.MethodGet, v.authorizeURL(), nil)
	if err != nil {
		return err
	}
	for _, cookie := range v.browsers[worker].Client.Jar.Cookies(request.URL) {
		request.AddCookie(cookie)
	}
	response, err := signettest.Crowd.Transport.RoundTrip(request)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	target, err := response.Location()
	if err == nil {
		v.held[worker], err = v.redeem(target)
	}
	return err
}

type operation struct {
	name, ceiling string
	do            func(worker int) error
}

func (l *load) operations() []operation {
	get := func(path string) func(int) error {
		return func(int) error { return expectOK(signettest.Crowd.Get(l.Issuer + path)) }
	}
	return []operation{
		{"discovery", "S", get("/.well-known/openid-configuration")},
		{"jwks", "S", get("/jwks")},
		{"client_credentials", "E", func(int) error {
			_, err := l.token(url.Values{"grant_type": {"client_credentials"}})
			return err
		}},
		{"refresh", "D", l.refresh},
		{"code flow with a session", "D", l.codeFlow},
		{"introspection", "E", func(i int) error {
			return expectOK(postForm(l.Issuer+"/introspect", l.client.ID, l.client.Secret, url.Values{"token": {l.held[i].Access}}))
		}},
		{"userinfo", "E", func(i int) error {
			request, err := http.NewRequest(http.MethodGet, l.Issuer+"/userinfo", nil)
			if err != nil {
				return err
			}
			request.Header.Set("Authorization", "Bearer "+l.held[i].Access)
			return expectOK(signettest.Crowd.Do(request))
		}},
		{"first-party refresh", "D", l.renew},
		{"first-party session", "E", func(i int) error {
			body, err := bodyOK(l.ofApp(i, http.MethodGet, "/session"))
			if err == nil && !bytes.Contains(body, []byte(`"authenticated":true`)) {
				err = fmt.Errorf("the browser is not signed in: %s", body)
			}
			return err
		}},
	}
}

const ceilingSecret = "a-secret-that-is-checked-by-its-hash"

// ceiling is the minimal server of the benchmark: ceiling S|E|D ADDRESS FOLDER.
func ceiling() {
	kind, address, folder := os.Args[1], os.Args[2], os.Args[3]
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	want := sha256.Sum256([]byte(ceilingSecret))
	var rows chan chan error
	if kind == "D" {
		rows = durableRows(folder)
	}
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if kind == "S" {
			_, _ = io.WriteString(w, `{"static":true}`)
			return
		}
		_, secret, _ := r.BasicAuth()
		if sum := sha256.Sum256([]byte(secret)); r.ParseForm() != nil || subtle.ConstantTimeCompare(sum[:], want[:]) != 1 {
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		if rows != nil {
			done := make(chan error, 1)
			rows <- done
			if err := <-done; err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": signedToken(key), "token_type": "Bearer", "expires_in": 900})
	})
	panic(http.ListenAndServe(address, nil))
}

func signedToken(key *ecdsa.PrivateKey) string {
	encode := base64.RawURLEncoding.EncodeToString
	claims, _ := json.Marshal(map[string]any{"iss": "bench", "sub": "bench", "jti": rand.Text(), "exp": time.Now().Unix() + 900})
	signed := encode([]byte(`{"alg":"ES256","typ":"at+jwt"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// durableRows commits all waiting rows in one transaction, then starts the next transaction.
func durableRows(folder string) chan chan error {
	driver := "sqlite3"
	if storage.PureGo {
		driver = "sqlite"
	}
	db, err := sql.Open(driver, folder+"/ceiling.db")
	if err != nil {
		panic(err)
	}
	db.SetMaxOpenConns(1)
	for _, statement := range []string{"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE t (id TEXT PRIMARY KEY, at INTEGER)"} {
		if _, err := db.Exec(statement); err != nil {
			panic(err)
		}
	}
	rows := make(chan chan error, 1024)
	go func() {
		for first := range rows {
			batch := []chan error{first}
			for len(rows) > 0 && len(batch) < 64 {
				batch = append(batch, <-rows)
			}
			tx, err := db.Begin()
			for range batch {
				if err == nil {
					_, err = tx.Exec("INSERT INTO t VALUES (?, ?)", rand.Text(), time.Now().UnixMilli())
				}
			}
			if err == nil {
				err = tx.Commit()
			}
			for _, done := range batch {
				done <- err
			}
		}
	}()
	return rows
}
