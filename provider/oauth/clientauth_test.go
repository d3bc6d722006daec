package oauth_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/storage"
)

// presentations are the ways in which a request can identify its client.
var presentations = map[string]func(form url.Values, h http.Header, id, secret string){
	"client_secret_basic": func(_ url.Values, h http.Header, id, secret string) {
		h.Set("Authorization", providertest.Basic(id, secret))
	},
	"client_secret_post": func(form url.Values, _ http.Header, id, secret string) {
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	},
	"client_secret_post, empty Basic": func(form url.Values, h http.Header, id, secret string) {
		h.Set("Authorization", "Basic Og==") // ":", from a program without credentials
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	},
	"client_secret_post, Basic without secret": func(form url.Values, h http.Header, id, secret string) {
		h.Set("Authorization", providertest.Basic(id, ""))
		form.Set("client_secret", secret)
	},
	"client_secret_post, bearer": func(form url.Values, h http.Header, id, secret string) {
		h.Set("Authorization", "Bearer added.by.a.proxy")
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	},
	"client_secret_basic, client_id": func(form url.Values, h http.Header, id, secret string) {
		h.Set("Authorization", providertest.Basic(id, secret))
		form.Set("client_id", id)
	},
	"client_secret_basic, empty client_secret": func(form url.Values, h http.Header, id, secret string) {
		h.Set("Authorization", providertest.Basic(id, secret))
		form["client_secret"] = []string{""}
	},
	"client_secret_basic, odd case": func(_ url.Values, h http.Header, id, secret string) {
		h.Set("Authorization", "bASIC "+strings.TrimPrefix(providertest.Basic(id, secret), "Basic "))
	},
	"none":                       func(form url.Values, _ http.Header, id, _ string) { form.Set("client_id", id) },
	"none, Basic without secret": func(_ url.Values, h http.Header, id, _ string) { h.Set("Authorization", providertest.Basic(id, "")) },
	"none, Basic without secret and client_id": func(form url.Values, h http.Header, id, _ string) {
		h.Set("Authorization", providertest.Basic(id, ""))
		form.Set("client_id", id)
	},
	"none, empty Basic": func(form url.Values, h http.Header, id, _ string) {
		h.Set("Authorization", "Basic Og==")
		form.Set("client_id", id)
	},
	"none, empty client_secret": func(form url.Values, _ http.Header, id, _ string) {
		form["client_id"], form["client_secret"] = []string{id}, []string{""}
	},
	"none, bearer": func(form url.Values, h http.Header, id, _ string) {
		h.Set("Authorization", "Bearer added.by.a.script")
		form.Set("client_id", id)
	},
	"nothing": func(url.Values, http.Header, string, string) {},
	"bearer":  func(_ url.Values, h http.Header, _, secret string) { h.Set("Authorization", "Bearer "+secret) },
	"secret without id": func(form url.Values, _ http.Header, _, secret string) {
		form.Set("client_secret", secret)
	},
	"assertion": func(form url.Values, _ http.Header, id, secret string) {
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", secret)
		form.Set("client_id", id)
	},
}

// The test sends every presentation for every kind of client to every endpoint. A client with
// a registered method may use only that method. Without a registered method it may use Basic
// or the body. A public client sends no secret. The answer to a correct secret with the wrong
// method names the right method, and the request is not counted. All other refusals look the
// same, and only a wrong secret is counted.
func TestClientAuth_EveryMethodAgainstEveryClient(t *testing.T) {
	chosen := func(method string) func(*storage.Client) {
		return func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.TokenEndpointAuthMethod = []string{providertest.Callback}, method
		}
	}
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		spa := b.AsClient(b.Register(t, storage.SPA, "spa", providertest.Callback))
		native := b.AsClient(b.Register(t, storage.Native, "native", "http://127.0.0.1/cb"))
		spa.Secret, native.Secret = b.Secret, b.Secret // these clients have no secret, so any secret is wrong
		for _, as := range []*providertest.Testbed{
			b, spa, native,
			b.AsClient(b.RegisterWith(t, storage.Web, "basic", chosen("client_secret_basic"))),
			b.AsClient(b.RegisterWith(t, storage.Web, "post", chosen("client_secret_post"))),
			b.AsClient(b.RegisterWith(t, storage.Service, "service", func(*storage.Client) {})),
		} {
			method := as.Client.Metadata.TokenEndpointAuthMethod
			for how, present := range presentations {
				for _, path := range providertest.FormEndpoints {
					form := b.GoodForm(path, "none")
					b.Advance(15 * time.Minute) // so that no request is throttled
					_, writesBefore := b.DB.Calls()
					a := as.Post(t, path, providertest.FormType, nil, func(r *http.Request) {
						r.Header.Del("Authorization")
						present(form, r.Header, as.Client.ID, as.Secret)
						*r = *withBody(r, form.Encode())
					})
					_, writes := b.DB.Calls()
					sent := strings.SplitN(how, ",", 2)[0]
					in := sent == method || method == "" && strings.HasPrefix(sent, "client_secret_")
					advised := !in && method != "none" && strings.HasPrefix(sent, "client_secret_")
					if path == "/introspect" && method == "none" {
						in = false // RFC 7662, section 2.1: only clients that authenticate
					}
					what := fmt.Sprintf("%s: client %s by %q", path, as.Client.ID, how)
					refused := a.StatusCode == http.StatusUnauthorized && a.JSON(t)["error"] == "invalid_client"
					if in == refused {
						t.Errorf("%s: got %d %s", what, a.StatusCode, a.Body)
					}
					if got := strings.Contains(a.Body, "must send it as "+method+","); got != advised {
						t.Errorf("%s: names the method: %v, want %v: %s", what, got, advised, a.Body)
					}
					guess := !in && !advised && strings.HasPrefix(sent, "client_secret_")
					if got := writes != writesBefore; refused && got != guess {
						t.Errorf("%s: counted: %v, want %v", what, got, guess)
					}
					if challenged := a.Header.Get("WWW-Authenticate") != ""; refused && challenged != (a.Request.Header.Get("Authorization") != "") {
						t.Errorf("%s: WWW-Authenticate %q", what, a.Header.Get("WWW-Authenticate"))
					}
				}
			}
		}
	})
}

// Some programs try one method and then the other, such as golang.org/x/oauth2 after any
// failure. They are never throttled for this, and the answer to the second request names the
// right method.
func TestClientAuth_CorrectSecretWithWrongMethodIsNotCounted(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		post := b.AsClient(b.RegisterWith(t, storage.Web, "post", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.TokenEndpointAuthMethod = []string{providertest.Callback}, storage.AuthPost
		}))
		_, before := b.DB.Calls()
		for range 150 {
			a := post.TokenRequest(t, post.CodeForm("none"))
			providertest.WantOAuthError(t, a, http.StatusUnauthorized, "invalid_client")
			if !strings.Contains(a.Body, "client_secret_post") || a.Header.Get("WWW-Authenticate") == "" {
				t.Fatalf("the answer does not name the method: %v %s", a.Header, a.Body)
			}
		}
		if _, after := b.DB.Calls(); after != before {
			t.Errorf("%d writes", after-before)
		}
		if log := b.Log.String(); !strings.Contains(log, "sent as client_secret_basic, registered for client_secret_post") || strings.Contains(log, post.Secret) {
			t.Error("the log does not name both methods, or contains the secret")
		}
		providertest.WantRefusedClient(t, "a wrong secret afterwards", b.PostAsClient(t, "/token", "post", "wrong", ""))
	})
}

// withBody returns a copy of the request with this body.
func withBody(r *http.Request, body string) *http.Request {
	again, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	again.Header = r.Header
	return again
}

// TK-06: Two ways of client authentication in one request are refused (RFC 6749, section
// 2.3).
func TestClientAuth_TwoMethodsAtOnceAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		code := b.Visitor(t).SignInForCode(t)
		assertion := url.Values{"client_assertion": {"x.y.z"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
		for name, c := range map[string]struct {
			more  url.Values
			basic bool
		}{
			"basic and secret":                {url.Values{"client_id": {b.Client.ID}, "client_secret": {b.Secret}}, true},
			"basic and wrong secret":          {url.Values{"client_secret": {"wrong"}}, true},
			"basic and assertion":             {assertion, true},
			"basic and assertion type":        {url.Values{"client_assertion_type": {"x"}}, true},
			"secret and assertion":            {merge(assertion, url.Values{"client_id": {b.Client.ID}, "client_secret": {b.Secret}}), false},
			"basic and another client_id":     {url.Values{"client_id": {"other"}}, true},
			"basic and client_id, other case": {url.Values{"client_id": {strings.ToUpper(b.Client.ID)}}, true},
		} {
			for _, path := range providertest.FormEndpoints {
				body := merge(b.GoodForm(path, code), c.more).Encode()
				a := b.Post(t, path, providertest.FormType, strings.NewReader(body), func(r *http.Request) {
					if !c.basic {
						r.Header.Del("Authorization")
					}
				})
				if a.StatusCode != http.StatusBadRequest || a.JSON(t)["error"] != "invalid_request" {
					t.Errorf("%s with %s: got %d %s", path, name, a.StatusCode, a.Body)
				}
			}
		}
		form := b.CodeForm(code, "client_id", b.Client.ID) // the same client_id twice is not a second method
		if a := b.TokenRequest(t, form); a.StatusCode != http.StatusOK {
			t.Errorf("basic with its own client_id: got %d %s", a.StatusCode, a.Body)
		}
	})
}

func merge(a, b url.Values) url.Values {
	out := url.Values{}
	for _, v := range []url.Values{a, b} {
		for name, list := range v {
			out[name] = slices.Clone(list)
		}
	}
	return out
}

// The answer does not show why the client is refused.
// TK-07: A wrong secret and an unknown client get the same answer and the same work; failures
// are limited.
func TestClientAuth_UnknownClientAndWrongSecretLookAlike(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		off := b.AsClient(b.Register(t, storage.Web, "off", providertest.Callback))
		off.SetClientEnabled(t, false)
		spa := b.AsClient(b.Register(t, storage.SPA, "spa", providertest.Callback))
		look := func(id, secret string) string {
			a := b.TokenRequest(t, b.CodeForm("none"), func(r *http.Request) { r.Header.Set("Authorization", providertest.Basic(id, secret)) })
			if a.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("%s: got %d, WWW-Authenticate %q", id, a.StatusCode, a.Header.Get("WWW-Authenticate"))
			}
			a.Header.Del("Date")
			return fmt.Sprint(a.StatusCode, a.Header, a.Body)
		}
		want := look("nobody", "wrong")
		for name, got := range map[string]string{
			"wrong secret":                 look(b.Client.ID, "wrong"),
			"disabled client":              look("off", off.Secret),
			"public client":                look("spa", "wrong"),
			"id of a user":                 look(spa.Alice.ID, "wrong"),
			"id that no database can hold": look(strings.Repeat("x", 5000), "wrong"),
		} {
			if got != want {
				t.Errorf("%s looks different:\n%s\nan unknown client:\n%s", name, got, want)
			}
		}
	})
}

// TK-08: An empty secret, or a client without a stored secret, never authenticates.
func TestClientAuth_EmptyAndSimilarSecretsAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		bare := directory.NewClient(storage.Web, "bare", "Bare")
		bare.Metadata.RedirectURIs = []string{providertest.Callback}
		if err := b.DB.CreateClient(context.Background(), bare, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		emptyHash := sha256.Sum256(nil)
		for _, secret := range []string{"", " ", "\x00", "null", hex.EncodeToString(emptyHash[:]), strings.Repeat("0", 64)} {
			a := b.TokenRequest(t, b.CodeForm("none"), func(r *http.Request) { r.Header.Set("Authorization", providertest.Basic("bare", secret)) })
			providertest.WantOAuthError(t, a, http.StatusUnauthorized, "invalid_client")
		}
		for _, secret := range []string{"", b.Client.Secrets[0].Hash, b.Secret[:len(b.Secret)-1], b.Secret + "x", strings.ToLower(b.Secret)} {
			a := b.TokenRequest(t, b.CodeForm("none"), func(r *http.Request) { r.Header.Set("Authorization", providertest.Basic(b.Client.ID, secret)) })
			providertest.WantOAuthError(t, a, http.StatusUnauthorized, "invalid_client")
		}
	})
}

// TK-10: A malformed Basic header gives 401 or 431, never 500.
func TestClientAuth_MalformedBasicHeadersAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		encode := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
		id, secret := b.Client.ID, b.Secret
		for _, header := range []string{
			"Basic", "Basic ", "Basic !!!", "Basic " + id + ":" + secret, encode(id + secret), encode(id + "%3A" + secret), encode(":" + secret),
			encode(":"), encode(id + ":"), encode(""), encode(id + "\x00:" + secret), encode(id + "%00:" + secret), encode("\xff\xfe:" + secret),
			encode("%ff:" + secret), encode("%zz:" + secret), encode(id + ":%zz"), encode(id + ":" + secret + "%00"), encode(id + ":" + secret + ":"),
			encode(" " + id + ":" + secret), encode(id + ": " + secret), encode(id+":"+secret) + "=", encode(id+":"+secret) + ",",
			"Basic\t" + encode(id + ":" + secret)[6:], "Basic  " + encode(id + ":" + secret)[6:], "Digest " + encode(id + ":" + secret)[6:],
			"Bearer " + secret, encode(id + ":" + secret)[6:], "Basic " + base64.RawURLEncoding.EncodeToString([]byte(id+":"+secret+"\xfb\xff")),
			encode(strings.Repeat("x", 500<<10) + ":y"), encode("x:" + strings.Repeat("y", 500<<10)),
		} {
			for _, path := range providertest.FormEndpoints {
				a := b.Post(t, path, providertest.FormType, strings.NewReader(b.GoodForm(path, "none").Encode()), func(r *http.Request) { r.Header.Set("Authorization", header) })
				if a.StatusCode != http.StatusUnauthorized || a.JSON(t)["error"] != "invalid_client" || a.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s with Authorization %.60q: got %d %s", path, header, a.StatusCode, a.Body)
				}
			}
		}
		huge := encode(strings.Repeat("x", 2<<20))
		if a := b.Post(t, "/token", providertest.FormType, nil, func(r *http.Request) { r.Header.Set("Authorization", huge) }); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of two megabytes: got %d", a.StatusCode)
		}
		b.Follow(t)
		for _, good := range []string{encode(id + ":" + secret), "basic" + encode(id + ":" + secret)[5:]} {
			a := b.TokenRequest(t, b.CodeForm("none"), func(r *http.Request) { r.Header.Set("Authorization", good) })
			providertest.WantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
		}
	})
}

// P-34: Basic credentials are form-decoded; secrets in the body work too (RFC 6749, section
// 2.3.1).
func TestClientAuth_BasicCredentialsAreFormEncoded(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const secret = "a+b%41:c d/é"
		client := directory.NewClient(storage.Web, "odd", "Odd")
		sum := sha256.Sum256([]byte(secret))
		client.Secrets[0] = storage.ClientSecret{Hash: hex.EncodeToString(sum[:])}
		client.Metadata.RedirectURIs = []string{providertest.Callback}
		if err := b.DB.CreateClient(context.Background(), client, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.AsClient(client, secret).RefuseCode(t, "none", "invalid_grant")
		plain := "Basic " + base64.StdEncoding.EncodeToString([]byte("odd:"+secret))
		a := b.TokenRequest(t, b.CodeForm("none"), func(r *http.Request) { r.Header.Set("Authorization", plain) })
		providertest.WantOAuthError(t, a, http.StatusUnauthorized, "invalid_client")
	})
}

// TK-23: A replaced secret stops working at the end of its grace period.
func TestClientAuth_ExpiredSecretIsRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		old, fresh := "old-secret", "new-secret"
		client := directory.NewClient(storage.Web, "rotating", "Rotating")
		client.Metadata.RedirectURIs = []string{providertest.Callback}
		for i, secret := range []string{fresh, old} {
			sum := sha256.Sum256([]byte(secret))
			client.Secrets[i] = storage.ClientSecret{Hash: hex.EncodeToString(sum[:])}
		}
		client.Secrets[1].ExpiresAt = storage.At(b.Now().Add(time.Hour))
		if err := b.DB.CreateClient(context.Background(), client, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.AsClient(client, old).RefuseCode(t, "none", "invalid_grant")
		b.AsClient(client, fresh).RefuseCode(t, "none", "invalid_grant")
		b.Advance(time.Hour)
		providertest.WantOAuthError(t, b.AsClient(client, old).TokenRequest(t, b.CodeForm("none")), http.StatusUnauthorized, "invalid_client")
		b.AsClient(client, fresh).RefuseCode(t, "none", "invalid_grant")
	})
}

// bcrypt would compare only the first 72 bytes.
// TK-28: client secrets are compared as SHA-256, in full.
func TestClientAuth_LongSecretsCountInFull(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		secret := strings.Repeat("0123456789", 10)
		client := directory.NewClient(storage.Web, "long", "Long")
		client.Metadata.RedirectURIs = []string{providertest.Callback}
		sum := sha256.Sum256([]byte(secret))
		client.Secrets[0] = storage.ClientSecret{Hash: hex.EncodeToString(sum[:])}
		if err := b.DB.CreateClient(context.Background(), client, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.AsClient(client, secret).RefuseCode(t, "none", "invalid_grant")
		for _, wrong := range []string{secret[:72], secret[:99], secret[:72] + strings.Repeat("x", 28), secret + "\x00", secret + "0"} {
			a := b.AsClient(client, wrong).TokenRequest(t, b.CodeForm("none"))
			providertest.WantOAuthError(t, a, http.StatusUnauthorized, "invalid_client")
		}
	})
}
