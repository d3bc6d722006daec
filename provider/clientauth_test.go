package provider_test

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

	"signet/storage"
)

// presentations are the ways a request can say who its client is.
var presentations = map[string]func(form url.Values, h http.Header, id, secret string){
	"client_secret_basic": func(_ url.Values, h http.Header, id, secret string) { h.Set("Authorization", basic(id, secret)) },
	"client_secret_post": func(form url.Values, _ http.Header, id, secret string) {
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	},
	"none":    func(form url.Values, _ http.Header, id, _ string) { form.Set("client_id", id) },
	"nothing": func(url.Values, http.Header, string, string) {},
	"bearer":  func(_ url.Values, h http.Header, _, secret string) { h.Set("Authorization", "Bearer "+secret) },
	"secret without id": func(form url.Values, _ http.Header, _, secret string) {
		form.Set("client_secret", secret)
	},
	"basic without secret": func(_ url.Values, h http.Header, id, _ string) { h.Set("Authorization", basic(id, "")) },
	"post without secret": func(form url.Values, _ http.Header, id, _ string) {
		form["client_id"], form["client_secret"] = []string{id}, []string{""}
	},
	"assertion": func(form url.Values, _ http.Header, id, secret string) {
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", secret)
		form.Set("client_id", id)
	},
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// A client authenticates by the method it is registered with and by no other: of
// the table of clients and presentations, only the diagonal is let in.
func TestTK08_TestTK09_OnlyTheRegisteredMethod(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		spa := b.as(b.register(t, storage.SPA, "spa", callback))
		post := b.as(b.registerWith(t, storage.Web, "post", func(c *storage.Client) {
			c.Metadata.RedirectURIs = []string{callback}
			c.Metadata.TokenEndpointAuthMethod = "client_secret_post"
		}))
		spa.Secret = b.Secret // it has none: anybody's may be tried
		for _, as := range []*testbed{b, post, spa} {
			method := as.Client.Metadata.TokenEndpointAuthMethod
			for how, present := range presentations {
				for _, path := range formEndpoints {
					form := as.goodForm(path, "none")
					a := as.post(t, path, formType, nil, func(r *http.Request) {
						r.Header.Del("Authorization")
						present(form, r.Header, as.Client.ID, as.Secret)
						body := form.Encode()
						if how == "post without secret" {
							body += "&client_secret="
						}
						*r = *withBody(r, body)
					})
					in := how == method || how == "post without secret" && method == "none" // an empty value is no value
					if path == "/introspect" && method == "none" {
						in = false // RFC 7662, section 2.1: only clients that authenticate
					}
					refused := a.StatusCode == http.StatusUnauthorized && a.json(t)["error"] == "invalid_client"
					if in == refused || !in && !refused {
						t.Errorf("%s: client of method %s by %q: got %d %s", path, method, how, a.StatusCode, a.Body)
					}
				}
			}
		}
	})
}

// withBody is the request with this form as its body.
func withBody(r *http.Request, body string) *http.Request {
	again, err := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	again.Header = r.Header
	return again
}

func TestTK06_TwoMethodsAtOnce(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		code := b.visitor(t).flow(t)
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
			for _, path := range formEndpoints {
				body := merge(b.goodForm(path, code), c.more).Encode()
				a := b.post(t, path, formType, strings.NewReader(body), func(r *http.Request) {
					if !c.basic {
						r.Header.Del("Authorization")
					}
				})
				if a.StatusCode != http.StatusBadRequest || a.json(t)["error"] != "invalid_request" {
					t.Errorf("%s with %s: got %d %s", path, name, a.StatusCode, a.Body)
				}
			}
		}
		form := b.codeForm(code, "client_id", b.Client.ID) // saying the same twice is no second method
		if a := b.tokenRequest(t, form); a.StatusCode != http.StatusOK {
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

// What is wrong with the client is not to be seen in the answer.
func TestTK07_UnknownClientAndWrongSecretLookAlike(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		off := b.as(b.register(t, storage.Web, "off", callback))
		off.disableClient(t, true)
		post := b.as(b.registerWith(t, storage.Web, "post", func(c *storage.Client) {
			c.Metadata.RedirectURIs, c.Metadata.TokenEndpointAuthMethod = []string{callback}, "client_secret_post"
		}))
		spa := b.as(b.register(t, storage.SPA, "spa", callback))
		look := func(id, secret string) string {
			a := b.tokenRequest(t, b.codeForm("none"), func(r *http.Request) { r.Header.Set("Authorization", basic(id, secret)) })
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
			"client of another method":     look("post", post.Secret),
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

func TestTK08_ClientsWithoutASecret(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		bare := storage.NewClient(storage.Web, "bare", "Bare")
		bare.Metadata.RedirectURIs = []string{callback}
		if err := b.DB.CreateClient(context.Background(), bare, storage.Origin{}, b.now()); err != nil {
			t.Fatal(err)
		}
		emptyHash := sha256.Sum256(nil)
		for _, secret := range []string{"", " ", "\x00", "null", hex.EncodeToString(emptyHash[:]), strings.Repeat("0", 64)} {
			a := b.tokenRequest(t, b.codeForm("none"), func(r *http.Request) { r.Header.Set("Authorization", basic("bare", secret)) })
			wantOAuthError(t, a, http.StatusUnauthorized, "invalid_client")
		}
		for _, secret := range []string{"", b.Client.Secrets[0].Hash, b.Secret[:len(b.Secret)-1], b.Secret + "x", strings.ToLower(b.Secret)} {
			a := b.tokenRequest(t, b.codeForm("none"), func(r *http.Request) { r.Header.Set("Authorization", basic(b.Client.ID, secret)) })
			wantOAuthError(t, a, http.StatusUnauthorized, "invalid_client")
		}
	})
}

func TestTK10_MalformedBasicHeaders(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
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
			for _, path := range formEndpoints {
				a := b.post(t, path, formType, strings.NewReader(b.goodForm(path, "none").Encode()), func(r *http.Request) { r.Header.Set("Authorization", header) })
				if a.StatusCode != http.StatusUnauthorized || a.json(t)["error"] != "invalid_client" || a.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s with Authorization %.60q: got %d %s", path, header, a.StatusCode, a.Body)
				}
			}
		}
		huge := encode(strings.Repeat("x", 2<<20))
		if a := b.post(t, "/token", formType, nil, func(r *http.Request) { r.Header.Set("Authorization", huge) }); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of two megabytes: got %d", a.StatusCode)
		}
		b.follow(t)
		for _, good := range []string{encode(id + ":" + secret), "basic" + encode(id + ":" + secret)[5:]} {
			a := b.tokenRequest(t, b.codeForm("none"), func(r *http.Request) { r.Header.Set("Authorization", good) })
			wantOAuthError(t, a, http.StatusBadRequest, "invalid_grant")
		}
	})
}

func TestP34_BasicCredentialsAreFormEncoded(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		const secret = "a+b%41:c d/é"
		client := storage.NewClient(storage.Web, "odd", "Odd")
		sum := sha256.Sum256([]byte(secret))
		client.Secrets[0] = storage.ClientSecret{Hash: hex.EncodeToString(sum[:])}
		client.Metadata.RedirectURIs = []string{callback}
		if err := b.DB.CreateClient(context.Background(), client, storage.Origin{}, b.now()); err != nil {
			t.Fatal(err)
		}
		b.as(client, secret).refuseCode(t, "none", "invalid_grant")
		plain := "Basic " + base64.StdEncoding.EncodeToString([]byte("odd:"+secret))
		a := b.tokenRequest(t, b.codeForm("none"), func(r *http.Request) { r.Header.Set("Authorization", plain) })
		wantOAuthError(t, a, http.StatusUnauthorized, "invalid_client")
	})
}

func TestTK23_ExpiredSecret(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		old, fresh := "old-secret", "new-secret"
		client := storage.NewClient(storage.Web, "rotating", "Rotating")
		client.Metadata.RedirectURIs = []string{callback}
		for i, secret := range []string{fresh, old} {
			sum := sha256.Sum256([]byte(secret))
			client.Secrets[i] = storage.ClientSecret{Hash: hex.EncodeToString(sum[:])}
		}
		client.Secrets[1].ExpiresAt = storage.At(b.now().Add(time.Hour))
		if err := b.DB.CreateClient(context.Background(), client, storage.Origin{}, b.now()); err != nil {
			t.Fatal(err)
		}
		b.as(client, old).refuseCode(t, "none", "invalid_grant")
		b.as(client, fresh).refuseCode(t, "none", "invalid_grant")
		b.pass(time.Hour)
		wantOAuthError(t, b.as(client, old).tokenRequest(t, b.codeForm("none")), http.StatusUnauthorized, "invalid_client")
		b.as(client, fresh).refuseCode(t, "none", "invalid_grant")
	})
}

// bcrypt would compare the first 72 bytes alone.
func TestTK28_LongSecretsCountInFull(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		secret := strings.Repeat("0123456789", 10)
		client := storage.NewClient(storage.Web, "long", "Long")
		client.Metadata.RedirectURIs = []string{callback}
		sum := sha256.Sum256([]byte(secret))
		client.Secrets[0] = storage.ClientSecret{Hash: hex.EncodeToString(sum[:])}
		if err := b.DB.CreateClient(context.Background(), client, storage.Origin{}, b.now()); err != nil {
			t.Fatal(err)
		}
		b.as(client, secret).refuseCode(t, "none", "invalid_grant")
		for _, wrong := range []string{secret[:72], secret[:99], secret[:72] + strings.Repeat("x", 28), secret + "\x00", secret + "0"} {
			a := b.as(client, wrong).tokenRequest(t, b.codeForm("none"))
			wantOAuthError(t, a, http.StatusUnauthorized, "invalid_client")
		}
	})
}
