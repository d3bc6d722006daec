package cluster_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
)

// TestProcesses_UseEachThingOnce sends the same request 50 times at once to two processes. One
// request succeeds. All others get the error that a later request gets.
// MN-01: The same holds with two processes on one SQLite file.
func TestProcesses_UseEachThingOnce(t *testing.T) {
	in := &inbox{Server: mailtest.Start(t)}
	signettest.OverProcesses(t, func(t *testing.T, c *signettest.Cluster, at []string) {
		b := signettest.NewFormBrowser(t)
		for _, thing := range []struct {
			name string
			make func() func(address string) *http.Request
			want []string // the errors of all requests but one
			hash bool     // each request computes a password hash
		}{
			{"device code", makeDeviceCode(t, c, b), []string{"invalid_grant", "slow_down"}, false},
			{"pushed request", makePushedRequest(t, c, b), []string{"unknown_request"}, false},
			{"client assertion", makeAssertion(t, c), []string{"invalid_client", "temporarily_unavailable"}, false},
			{"initial access token", makeInitialToken(t, c), []string{"invalid_token"}, false},
			{"link for a password", makePasswordLink(t, c), []string{"link_used", busy}, true},
			{"invitation", makeInvitation(t, c), []string{"link_used", "link_address_taken", busy}, true},
			{"link of a sign-up", makeSignUp(t, c, in), []string{"link_used", "link_address_taken", busy}, true},
			{"link before the first factor", makeEnrolment(t, c, in), []string{"link_used", busy}, false},
		} {
			rounds := signettest.Soaking(2, 200)
			if thing.hash {
				rounds = signettest.Soaking(1, 50)
			}
			for range rounds {
				request := thing.make()
				refused := 0
				answers := sendToAll(t, at, 50, request)
				for _, code := range thing.want {
					refused += answers[code]
				}
				if answers[""] != 1 || refused != 49 {
					t.Fatalf("50 times the same %s: got these answers (\"\" is success): %v", thing.name, answers)
				}
			}
		}
	}, append(signUpSettings(t, in), "SIGNET_REGISTRATION_MODE=token")...)
}

// sendToAll sends a request n times at once, to the processes in turn. It returns how many got
// which error; "" is success.
func sendToAll(t *testing.T, at []string, n int, request func(address string) *http.Request) map[string]int {
	t.Helper()
	var mu sync.Mutex
	answers := map[string]int{}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			response, err := signettest.Crowd.Transport.RoundTrip(request(at[i%len(at)])) // follows no redirect
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			said := errorIn(t, response)
			mu.Lock()
			defer mu.Unlock()
			answers[said]++
		})
	}
	all.Wait()
	return answers
}

// deadLink finds the code in the page of a link that cannot be used.
var deadLink = regexp.MustCompile(`link_[a-z_]+`)

// errorIn returns the error code of an answer in JSON or of the page of a dead link, or
// "unknown_request" for another error page. "" is success.
func errorIn(t *testing.T, r *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	var answer struct{ Error string }
	switch {
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		if err := json.Unmarshal(body, &answer); err != nil || (answer.Error == "") != (r.StatusCode < 300) {
			t.Errorf("status %d, %s, %v", r.StatusCode, body, err)
		}
		return answer.Error
	case strings.Contains(r.Header.Get("Location"), "code="), strings.Contains(r.Header.Get("Location"), "?done="):
		return ""
	case strings.Contains(r.Header.Get("Refresh"), "/account/security"):
		return ""
	case r.StatusCode == http.StatusGone:
		return deadLink.FindString(string(body))
	case r.StatusCode == http.StatusBadRequest:
		return "unknown_request"
	default:
		return r.Status
	}
}

func newForm(t *testing.T, address string, form url.Values) *http.Request {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Error(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return request
}

// post sends a form to a process and reads the answer, which must be a success.
func post(t *testing.T, request *http.Request, into any) {
	t.Helper()
	response, err := signettest.Crowd.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s: %s %s, %v", request.URL, response.Status, body, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%s answered %s: %v", request.URL, body, err)
	}
}

// makeDeviceCode makes device codes that the user has allowed.
func makeDeviceCode(t *testing.T, c *signettest.Cluster, b *signettest.FormBrowser) func() func(string) *http.Request {
	t.Helper()
	tv := c.CreateClient(t, "--type", "native", "--response-type", "", "--grant-type", storage.GrantDevice, "--grant-type", "refresh_token")
	return func() func(string) *http.Request {
		var device struct {
			Code     string `json:"device_code"`
			Complete string `json:"verification_uri_complete"`
		}
		form := url.Values{"client_id": {tv.ID}, "scope": {"openid"}}
		signettest.Eventually(t, 10*time.Second, "the process knows the client", func() bool {
			response, err := signettest.Crowd.Do(newForm(t, c.Issuer+"/device_authorization", form))
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			return response.StatusCode == http.StatusOK && json.NewDecoder(response.Body).Decode(&device) == nil
		})
		b.Open(device.Complete)
		if signettest.FindByID(b.Page, "login") != nil {
			b.Send("login", "", map[string]string{"username": c.Email, "password": c.Password})
		}
		b.Send("device", "", nil)
		b.Click("allow")
		return func(address string) *http.Request {
			return newForm(t, address+"/token", url.Values{"client_id": {tv.ID}, "grant_type": {storage.GrantDevice}, "device_code": {device.Code}})
		}
	}
}

// makePushedRequest pushes authorization requests. The requests that use them come from a browser
// with a session.
func makePushedRequest(t *testing.T, c *signettest.Cluster, b *signettest.FormBrowser) func() func(string) *http.Request {
	t.Helper()
	return func() func(string) *http.Request {
		push := newForm(t, c.Issuer+"/par", url.Values{
			"redirect_uri": {signettest.Nowhere}, "response_type": {"code"}, "scope": {"openid"},
			"code_challenge": {oauth2.S256ChallengeFromVerifier(signettest.CodeVerifier)}, "code_challenge_method": {"S256"},
		})
		push.SetBasicAuth(c.Client.ID, c.Client.Secret)
		var pushed struct {
			RequestURI string `json:"request_uri"`
		}
		post(t, push, &pushed)
		issuer, err := url.Parse(c.Issuer)
		if err != nil {
			t.Fatal(err)
		}
		cookies := b.Client.Jar.Cookies(issuer)
		return func(address string) *http.Request {
			query := url.Values{"client_id": {c.Client.ID}, "request_uri": {pushed.RequestURI}}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/authorize?"+query.Encode(), nil)
			if err != nil {
				t.Error(err)
			}
			for _, cookie := range cookies {
				request.AddCookie(cookie)
			}
			return request
		}
	}
}

// makeAssertion makes assertions of clients. Each client has one, because a client that repeats
// an assertion fifty times is throttled.
func makeAssertion(t *testing.T, c *signettest.Cluster) func() func(string) *http.Request {
	t.Helper()
	key := providertest.NewClientKey("ES256", "a")
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, []byte(providertest.JWKS(key)), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() func(string) *http.Request {
		robot := c.CreateClient(t, "--type", "service", "--token-endpoint-auth-method", "private_key_jwt", "--jwks", file, "--scope", "jobs")
		sign := func(id string) url.Values {
			at := time.Now().Unix()
			return url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {key.Sign(map[string]any{
				"iss": robot.ID, "sub": robot.ID, "aud": c.Issuer, "iat": at, "exp": at + 60, "jti": id,
			})}}
		}
		signettest.Eventually(t, 10*time.Second, "the process knows the client", func() bool {
			response, err := signettest.Crowd.Do(newForm(t, c.Issuer+"/token", sign("first"+time.Now().String())))
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			return response.StatusCode == http.StatusOK
		})
		form := sign("the one")
		return func(address string) *http.Request { return newForm(t, address+"/token", form) }
	}
}

// makeInitialToken makes initial access tokens for one registration.
func makeInitialToken(t *testing.T, c *signettest.Cluster) func() func(string) *http.Request {
	t.Helper()
	return func() func(string) *http.Request {
		var made struct{ Token string }
		c.Command(t, "", &made, "registration", "token", "create", "--name", "CI", "--json")
		return func(address string) *http.Request {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/register",
				strings.NewReader(`{"client_name":"Shop","redirect_uris":["https://shop.example.com/callback"]}`))
			if err != nil {
				t.Error(err)
			}
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Authorization", "Bearer "+made.Token)
			return request
		}
	}
}

// makePasswordLink makes links with which the user chooses a new password. It is the same each
// time: only links are to differ.
func makePasswordLink(t *testing.T, c *signettest.Cluster) func() func(string) *http.Request {
	t.Helper()
	return func() func(string) *http.Request {
		var made struct{ Link string }
		c.Command(t, "", &made, "user", "link", c.Email, "--for", "password", "--json")
		return linkForm(t, c, made.Link, url.Values{"new-password": {c.Password}})
	}
}

// makeInvitation makes invitations, each of another person.
func makeInvitation(t *testing.T, c *signettest.Cluster) func() func(string) *http.Request {
	t.Helper()
	invited := 0
	return func() func(string) *http.Request {
		invited++
		var made struct{ Link string }
		c.Command(t, "", &made, "user", "invite", fmt.Sprintf("invited%d@example.com", invited), "--no-mail", "--json")
		return linkForm(t, c, made.Link, url.Values{"name": {"Zoe"}, "new-password": {c.Password}})
	}
}

// makeSignUp makes links of a sign-up, each of another person.
func makeSignUp(t *testing.T, c *signettest.Cluster, in *inbox) func() func(string) *http.Request {
	t.Helper()
	asked := 0
	return func() func(string) *http.Request {
		asked++
		email := fmt.Sprintf("new%d-%s@example.com", asked, strings.ReplaceAll(t.Name()[strings.LastIndexByte(t.Name(), '/'):], "/", ""))
		return linkForm(t, c, askToSignUp(t, c, in, asked, email), url.Values{"name": {"Zoe"}, "new-password": {c.Password}})
	}
}

// makeEnrolment makes links that come before the first factor, each of another person, in the browser of
// that person.
func makeEnrolment(t *testing.T, c *signettest.Cluster, in *inbox) func() func(string) *http.Request {
	t.Helper()
	asked := 0
	return func() func(string) *http.Request {
		asked++
		address, b := askToEnrol(t, c, in, asked, fmt.Sprintf("first%d-%s@example.com", asked, strings.ReplaceAll(t.Name()[strings.LastIndexByte(t.Name(), '/'):], "/", "")))
		b.Open(address)
		return formOf(t, c, b, "go-on", url.Values{"act": {"confirm"}})
	}
}

// linkForm returns requests that send the form on the page of a one-time link.
func linkForm(t *testing.T, c *signettest.Cluster, link string, fields url.Values) func(string) *http.Request {
	t.Helper()
	at, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	fields.Set("link", at.Query().Get("link"))
	return func(address string) *http.Request {
		request := newForm(t, address+at.Path, fields)
		request.Header.Set("Origin", c.Issuer)
		return request
	}
}
