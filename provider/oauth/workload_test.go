package oauth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider/assertion"
	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/storage"
)

// workloads are the kinds of foreign issuers with the tokens of their workloads.
var workloads = []struct {
	kind    storage.FederationKind
	subject string // pattern
	claims  func(b *providertest.Testbed, issuer string) map[string]any
	header  map[string]any
}{
	{storage.FederationGitHub, "repo:octo-org@123456/octo-repo@456789:ref:refs/heads/*", (*providertest.Testbed).GitHubToken, nil},
	{storage.FederationGitLab, "project_path:my-group/my-project:ref_type:branch:ref:ma*", (*providertest.Testbed).GitLabToken, nil},
	{storage.FederationKubernetes, "system:serviceaccount:my-namespace:*", (*providertest.Testbed).KubernetesToken, map[string]any{"typ": nil}},
	{storage.FederationOIDC, "system:*:*:my-account", (*providertest.Testbed).KubernetesToken, nil},
}

// changedToken returns the claims of a token with changes, as changed does for an assertion.
func changedToken(b *providertest.Testbed, claims, changes map[string]any) map[string]any {
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
		if d, is := value.(time.Duration); is {
			claims[name] = b.Now().Add(d).Unix()
		}
	}
	return claims
}

// A token as GitHub Actions, GitLab CI/CD or Kubernetes documents it proves a client at every
// endpoint, as often as the workload presents it.
func TestWorkload_TokenProvesClientAtEveryEndpoint(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		rules := directory.New(directory.Deps{DB: b.DB, Issuer: b.Issuer, Now: b.Now})
		for _, w := range workloads {
			issuer := providertest.ServeIssuer(t)
			client := b.WorkloadClient(t, "robot-"+string(w.kind))
			_, err := rules.AddFederation(t.Context(), client.Client.ID, storage.Federation{Kind: w.kind, Issuer: issuer.URL, Subject: w.subject}, storage.Origin{})
			if err != nil {
				t.Fatal(err)
			}
			b.Follow(t)
			token := issuer.Key.Sign(w.claims(b, issuer.URL), w.header)
			for _, path := range append(slices.Clone(providertest.FormEndpoints), "/par", "/token") {
				form, want := url.Values{"token": {"none"}}, http.StatusOK
				switch path {
				case "/token":
					form = providertest.OwnToken()
				case "/device_authorization", "/par":
					want = http.StatusBadRequest // a service has no such grant
				}
				a := client.PostWorkload(t, path, form, token)
				if a.StatusCode != want || strings.Contains(a.Body, "invalid_client") {
					t.Errorf("%s at %s: got %d %s", w.kind, path, a.StatusCode, a.Body)
				}
			}
			if d, k := issuer.Discoveries.Load(), issuer.Keys.Fetches.Load(); d != 1 || k != 1 {
				t.Errorf("%s: the document was fetched %d times and the keys %d times, want once each", w.kind, d, k)
			}
		}
	})
}

// The preset of GitHub needs no more than the subject. Its keys may come from a configured address.
func TestWorkload_IssuerOfPreset(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		issuer := providertest.ServeIssuer(t)
		rules := directory.New(directory.Deps{DB: b.DB, Issuer: b.Issuer, Now: b.Now})
		client := b.WorkloadClient(t, "robot")
		_, err := rules.AddFederation(t.Context(), "robot", storage.Federation{Kind: storage.FederationGitHub, Subject: providertest.GitHubSubject, JWKSURI: issuer.Keys.URL}, storage.Origin{})
		if err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		a := client.PostWorkload(t, "/token", providertest.OwnToken(), issuer.Key.Sign(b.GitHubToken("https://token.actions.githubusercontent.com")))
		if a.StatusCode != http.StatusOK || issuer.Discoveries.Load() != 0 {
			t.Errorf("got %d %s, with %d fetches of a discovery document", a.StatusCode, a.Body, issuer.Discoveries.Load())
		}
		if _, err := rules.RemoveFederation(t.Context(), "robot", "github", storage.Origin{}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		a = client.PostWorkload(t, "/token", providertest.OwnToken(), issuer.Key.Sign(b.GitHubToken("https://token.actions.githubusercontent.com")))
		providertest.WantRefusedClient(t, "after the federation was removed", a)
	})
}

// JW-19: Unverified claims select keys only among the issuers that the client names (RFC 8725, section 3.10).
// TK-11: Tokens with wrong claims are refused (RFC 7523, section 3), each with its cause in the log.
// TK-14: One JWT is accepted for one purpose only (RFC 8725, section 3.12).
// TK-15: Tokens that a foreign key has signed are refused.
// TK-29: Tokens with times out of range are refused.
func TestWorkload_WrongTokensAreRefused(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		issuer, other, unnamed, lab := providertest.ServeIssuer(t), providertest.ServeIssuer(t), providertest.ServeIssuer(t), providertest.ServeIssuer(t)
		github := storage.Federation{Name: "github", Kind: storage.FederationGitHub, Issuer: issuer.URL, Subject: "repo:octo-org@123456/octo-repo@456789:ref:refs/heads/*"}
		environment := storage.Federation{Name: "environment", Kind: storage.FederationGitHub, Issuer: issuer.URL, Subject: "repo:octo-org/octo-repo:environment:production"}
		client := b.WorkloadClient(t, "robot", github, environment, storage.Federation{Name: "other", Kind: storage.FederationOIDC, Issuer: other.URL, Subject: "a:b"},
			storage.Federation{Name: "gitlab", Kind: storage.FederationGitLab, Issuer: lab.URL, Subject: providertest.GitLabSubject})
		plain := b.WorkloadClient(t, "plain")
		signed := func(changes map[string]any, header ...map[string]any) func() string {
			return func() string { return issuer.Key.Sign(changedToken(b, b.GitHubToken(issuer.URL), changes), header...) }
		}
		branch := func(name string) func() string {
			return signed(map[string]any{"sub": "repo:octo-org@123456/octo-repo@456789:ref:refs/heads/" + name})
		}
		pipeline := func(changes map[string]any) func() string {
			return func() string { return lab.Key.Sign(changedToken(b, b.GitLabToken(lab.URL), changes)) }
		}
		public := []byte(providertest.JWKS(issuer.Key))
		for name, c := range map[string]struct {
			token func() string
			cause string
			form  url.Values
		}{
			"no client_id":                  {signed(nil), "assertion_not_own", url.Values{"client_id": nil}},
			"client_id of another client":   {signed(nil), "assertion_not_own", url.Values{"client_id": {plain.Client.ID}}},
			"client_id of a secret client":  {signed(nil), "assertion_not_allowed", url.Values{"client_id": {b.Client.ID}}},
			"client_id of nobody":           {signed(nil), "unknown_client", url.Values{"client_id": {"nobody"}}},
			"no iss":                        {signed(map[string]any{"iss": nil}), "assertion_malformed", nil},
			"an issuer that is not named":   {func() string { return unnamed.Key.Sign(b.GitHubToken(unnamed.URL)) }, "federation_issuer", nil},
			"an issuer with a slash more":   {signed(map[string]any{"iss": issuer.URL + "/"}), "federation_issuer", nil},
			"this server as issuer":         {signed(map[string]any{"iss": b.Issuer}), "federation_issuer", nil},
			"another issuer's subject":      {signed(map[string]any{"sub": "a:b"}), "federation_subject", nil},
			"another issuer's key":          {func() string { return other.Key.Sign(b.GitHubToken(issuer.URL)) }, "assertion_signature", nil},
			"iss and sub are the client_id": {signed(map[string]any{"iss": "robot", "sub": "robot"}), "assertion_signature", nil}, // the client has no key of its own
			"no aud":                        {signed(map[string]any{"aud": nil}), "assertion_audience", nil},
			"the default aud of GitHub":     {signed(map[string]any{"aud": "https://github.com/octo-org"}), "assertion_audience", nil},
			"the token endpoint as aud":     {signed(map[string]any{"aud": b.Issuer + "/token"}), "assertion_audience", nil},
			"an aud with a slash more":      {signed(map[string]any{"aud": b.Issuer + "/"}), "assertion_audience", nil},
			"two aud":                       {signed(map[string]any{"aud": []string{b.Issuer, b.Issuer + "/token"}}), "assertion_audience", nil},
			"the same aud twice":            {signed(map[string]any{"aud": []string{b.Issuer, b.Issuer}}), "assertion_audience", nil},
			"no sub":                        {signed(map[string]any{"sub": nil}), "assertion_malformed", nil},
			"another repository":            {signed(map[string]any{"sub": "repo:octo-org@123456/other@456789:ref:refs/heads/main"}), "federation_subject", nil},
			"another owner":                 {signed(map[string]any{"sub": "repo:octo-org@654321/octo-repo@456789:ref:refs/heads/main"}), "federation_subject", nil},
			"a subject without ids":         {signed(map[string]any{"sub": "repo:octo-org/octo-repo:ref:refs/heads/main"}), "federation_subject", nil},
			"a tag":                         {signed(map[string]any{"sub": "repo:octo-org@123456/octo-repo@456789:ref:refs/tags/main"}), "federation_subject", nil},
			"a branch with a slash":         {branch("a/b"), "federation_subject", nil},
			"a branch with a colon":         {branch("a:b"), "federation_subject", nil},
			"a branch without a name":       {branch(""), "federation_subject", nil},
			"a subject with more":           {branch("main:job_workflow_ref:x"), "federation_subject", nil},
			"the event of a pull request":   {signed(map[string]any{"event_name": "pull_request"}), "federation_event", nil},
			"the event of its target":       {signed(map[string]any{"event_name": "pull_request_target"}), "federation_event", nil},
			"the event of its review":       {signed(map[string]any{"event_name": "pull_request_review"}), "federation_event", nil},
			"a pull request with an environment": {
				signed(map[string]any{"event_name": "pull_request", "sub": "repo:octo-org/octo-repo:environment:production"}), "federation_event", nil,
			},
			"the subject of a pull request": {signed(map[string]any{"sub": "repo:octo-org@123456/octo-repo@456789:pull_request"}), "federation_event", nil},
			"no event":                      {signed(map[string]any{"event_name": nil}), "federation_event", nil},
			"a list as event":               {signed(map[string]any{"event_name": []string{"push"}}), "federation_event", nil},
			"a merge request of a fork": {
				pipeline(map[string]any{"pipeline_source": "merge_request_event", "ref_protected": "false"}), "federation_event", nil,
			},
			"a merge request of a protected branch": {pipeline(map[string]any{"pipeline_source": "merge_request_event"}), "federation_event", nil},
			"a pull request at another host":        {pipeline(map[string]any{"pipeline_source": "external_pull_request_event"}), "federation_event", nil},
			"no pipeline_source":                    {pipeline(map[string]any{"pipeline_source": nil}), "federation_event", nil},
			"a list as pipeline_source":             {pipeline(map[string]any{"pipeline_source": []string{"push"}}), "federation_event", nil},
			"a branch that is not protected":        {pipeline(map[string]any{"ref_protected": "false"}), "federation_event", nil},
			"the child of a merge request": {
				pipeline(map[string]any{"pipeline_source": "parent_pipeline", "ref_protected": "false"}), "federation_event", nil,
			},
			"no ref_protected":              {pipeline(map[string]any{"ref_protected": nil}), "federation_event", nil},
			"true as ref_protected":         {pipeline(map[string]any{"ref_protected": true}), "federation_event", nil},
			"no exp":                        {signed(map[string]any{"exp": nil}), "assertion_times", nil},
			"exp is a minute past":          {signed(map[string]any{"exp": -time.Minute}), "assertion_expired", nil},
			"exp is over an hour ahead":     {signed(map[string]any{"exp": 62 * time.Minute}), "assertion_times", nil},
			"exp is over an hour after iat": {signed(map[string]any{"iat": -time.Hour, "exp": 2 * time.Minute}), "assertion_times", nil},
			"no iat":                        {signed(map[string]any{"iat": nil}), "assertion_times", nil},
			"iat is 61 s ahead":             {signed(map[string]any{"iat": 61 * time.Second}), "assertion_times", nil},
			"nbf is 61 s ahead":             {signed(map[string]any{"nbf": 61 * time.Second}), "assertion_times", nil},
			"iat is text":                   {signed(map[string]any{"iat": "now"}), "assertion_malformed", nil},
			"an unknown kid":                {signed(nil, map[string]any{"kid": "other"}), "assertion_signature", nil},
			"the typ of an access token":    {signed(nil, map[string]any{"typ": "at+jwt"}), "assertion_malformed", nil},
			"crit":                          {signed(nil, map[string]any{"crit": []string{"exp"}}), "assertion_malformed", nil},
			"a damaged signature":           {func() string { text := signed(nil)(); return text[:len(text)-10] + "AAAAAAAAAA" }, "assertion_signature", nil},
			"alg none":                      {func() string { return unsigned(t, b.GitHubToken(issuer.URL), "none", nil) }, "assertion_algorithm", nil},
			"HS256 with the public key":     {func() string { return unsigned(t, b.GitHubToken(issuer.URL), "HS256", public) }, "assertion_algorithm", nil},
			"an algorithm that we lack": {func() string {
				return providertest.NewClientKey("ES384", issuer.Key.ID).Sign(b.GitHubToken(issuer.URL))
			}, "assertion_algorithm", nil},
			"PS256 with the RS256 key": {func() string {
				return providertest.ClientKey{Private: issuer.Key.Private, Algorithm: "PS256", ID: issuer.Key.ID}.Sign(b.GitHubToken(issuer.URL))
			}, "assertion_signature", nil},
			"ES256 with the kid of the RS256 key": {func() string {
				return providertest.NewClientKey("ES256", issuer.Key.ID).Sign(b.GitHubToken(issuer.URL))
			}, "assertion_signature", nil},
			"a token of 9 KB": {signed(map[string]any{"more": strings.Repeat("a", 9000)}), "assertion_malformed", nil},
		} {
			b.Advance(16 * time.Minute) // so that no request is throttled
			form := providertest.OwnToken()
			for member, values := range c.form {
				form[member] = values
			}
			token, logged := c.token(), len(b.Log.String())
			a := client.PostWorkload(t, "/token", form, token)
			providertest.WantRefusedClient(t, name, a)
			log := b.Log.String()[logged:]
			if !strings.Contains(log, `"cause":"`+c.cause+`"`) {
				t.Errorf("%s: want the cause %s in %s", name, c.cause, log)
			}
			if strings.Contains(log, token) {
				t.Errorf("%s: the log has the token", name)
			}
		}
		if n := unnamed.Discoveries.Load() + unnamed.Keys.Fetches.Load(); n != 0 {
			t.Errorf("%d fetches from an issuer that the client does not name", n)
		}
		if n := other.Discoveries.Load() + other.Keys.Fetches.Load(); n != 0 {
			t.Errorf("%d fetches from an issuer whose tokens have other claims", n)
		}
		if n := lab.Discoveries.Load() + lab.Keys.Fetches.Load(); n != 0 {
			t.Errorf("%d fetches for pipelines that strangers can start", n)
		}
		for _, source := range []string{"push", "web", "schedule", "trigger", "parent_pipeline"} {
			if a := client.PostWorkload(t, "/token", providertest.OwnToken(), pipeline(map[string]any{"pipeline_source": source})()); a.StatusCode != http.StatusOK {
				t.Errorf("a protected branch with the pipeline_source %s: got %d %s", source, a.StatusCode, a.Body)
			}
		}
		if a := client.PostWorkload(t, "/token", providertest.OwnToken(), signed(nil)()); a.StatusCode != http.StatusOK {
			t.Errorf("the unchanged token: got %d %s", a.StatusCode, a.Body)
		}
		production := map[string]any{"sub": environment.Subject, "event_name": "workflow_dispatch"}
		if a := client.PostWorkload(t, "/token", providertest.OwnToken(), signed(production)()); a.StatusCode != http.StatusOK {
			t.Errorf("the second federation of the issuer: got %d %s", a.StatusCode, a.Body)
		}
	})
}

// A client that authenticates with JWTs may have both: its own key and federations. A secret is
// never a third way.
func TestWorkload_BesideAKeyOfTheClient(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		issuer, key := providertest.ServeIssuer(t), clientKeys["ES256"]
		client := b.KeyClient(t, "robot", func(c *storage.Client) {
			allKeys(c)
			c.Federations = []storage.Federation{{Name: "cluster", Kind: storage.FederationKubernetes, Issuer: issuer.URL, Subject: providertest.KubernetesSubject, Audience: "signet"}}
		})
		token := issuer.Key.Sign(changedToken(b, b.KubernetesToken(issuer.URL), map[string]any{"aud": "signet"}))
		if a := client.PostWorkload(t, "/token", providertest.OwnToken(), token); a.StatusCode != http.StatusOK {
			t.Errorf("a token with the registered audience: got %d %s", a.StatusCode, a.Body)
		}
		if a := client.PostAssertion(t, "/token", providertest.OwnToken(), key.Sign(client.AssertionClaims())); a.StatusCode != http.StatusOK {
			t.Errorf("an assertion of the client itself: got %d %s", a.StatusCode, a.Body)
		}
		// Neither key stands for the other.
		foreign := changedToken(b, b.KubernetesToken(issuer.URL), map[string]any{"aud": "signet"})
		providertest.WantRefusedClient(t, "the client's key under a token's claims", client.PostWorkload(t, "/token", providertest.OwnToken(), key.Sign(foreign)))
		providertest.WantRefusedClient(t, "the issuer's key under the client's claims", client.PostAssertion(t, "/token", providertest.OwnToken(), issuer.Key.Sign(client.AssertionClaims())))
		providertest.WantRefusedClient(t, "a secret", b.TokenRequest(t, url.Values{"grant_type": {"client_credentials"}, "client_id": {"robot"}, "client_secret": {"x"}}, func(r *http.Request) { r.Header.Del("Authorization") }))
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"robot"}, "client_secret": {"x"}, "client_assertion": {token}, "client_assertion_type": {assertion.Type}}
		providertest.WantOAuthError(t, b.TokenRequest(t, form, func(r *http.Request) { r.Header.Del("Authorization") }), http.StatusBadRequest, "invalid_request")
	})
}

// token_endpoint_auth_signing_alg is the algorithm of the client's own key. An issuer that signs
// with another one proves the client too.
func TestWorkload_RegisteredAlgorithmIsOfTheClientsOwnKey(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		issuer := providertest.ServeIssuer(t) // signs with RS256
		client := b.KeyClient(t, "robot", func(c *storage.Client) {
			allKeys(c)
			c.Metadata.TokenEndpointAuthAlg = "ES256"
			c.Federations = []storage.Federation{{Name: "cluster", Kind: storage.FederationKubernetes, Issuer: issuer.URL, Subject: providertest.KubernetesSubject}}
		})
		if a := client.PostWorkload(t, "/token", providertest.OwnToken(), issuer.Key.Sign(b.KubernetesToken(issuer.URL))); a.StatusCode != http.StatusOK {
			t.Errorf("a token that is signed with RS256: got %d %s", a.StatusCode, a.Body)
		}
		if a := client.PostAssertion(t, "/token", providertest.OwnToken(), clientKeys["ES256"].Sign(client.AssertionClaims())); a.StatusCode != http.StatusOK {
			t.Errorf("an assertion with ES256: got %d %s", a.StatusCode, a.Body)
		}
		providertest.WantRefusedClient(t, "an assertion with RS256", client.PostAssertion(t, "/token", providertest.OwnToken(), clientKeys["RS256"].Sign(client.AssertionClaims())))
	})
}

// Twenty parallel requests fetch the document and the keys of an issuer once.
func TestWorkload_ParallelRequestsShareOneFetch(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		issuer := providertest.ServeIssuer(t)
		federation := storage.Federation{Name: "cluster", Kind: storage.FederationKubernetes, Issuer: issuer.URL, Subject: providertest.KubernetesSubject}
		clients := []*providertest.Testbed{b.WorkloadClient(t, "one", federation), b.WorkloadClient(t, "two", federation)}
		providertest.Race(20, func(i int) {
			if a := clients[i%2].PostWorkload(t, "/token", providertest.OwnToken(), issuer.Key.Sign(b.KubernetesToken(issuer.URL))); a.StatusCode != http.StatusOK {
				t.Errorf("got %d %s", a.StatusCode, a.Body)
			}
		})
		if d, k := issuer.Discoveries.Load(), issuer.Keys.Fetches.Load(); d != 1 || k != 1 {
			t.Errorf("the document was fetched %d times and the keys %d times, want once each", d, k)
		}
		second := providertest.NewClientKey("ES256", "second")
		issuer.Keys.Publish(providertest.JWKS(second))
		b.Advance(11 * time.Minute)
		if a := clients[0].PostWorkload(t, "/token", providertest.OwnToken(), second.Sign(b.KubernetesToken(issuer.URL))); a.StatusCode != http.StatusOK {
			t.Errorf("a new key of the issuer: got %d %s", a.StatusCode, a.Body)
		}
		providertest.WantRefusedClient(t, "a withdrawn key", clients[0].PostWorkload(t, "/token", providertest.OwnToken(), issuer.Key.Sign(b.KubernetesToken(issuer.URL))))
	})
}

// Two clusters may have the same issuer and different keys. Each token is verified by the keys of
// one of them, also while those of the other cannot be fetched.
func TestWorkload_TwoClustersWithOneIssuer(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const name = "https://kubernetes.default.svc.cluster.local"
		a, z := providertest.ServeIssuer(t), providertest.ServeIssuer(t)
		z.Key.ID = "other-key"
		z.Keys.Publish(providertest.JWKS(z.Key))
		client := b.WorkloadClient(t, "robot",
			storage.Federation{Name: "a", Kind: storage.FederationKubernetes, Issuer: name, JWKSURI: a.Keys.URL, Subject: providertest.KubernetesSubject},
			storage.Federation{Name: "z", Kind: storage.FederationKubernetes, Issuer: name, JWKSURI: z.Keys.URL, Subject: providertest.KubernetesSubject})
		status := func(key providertest.ClientKey) int {
			return client.PostWorkload(t, "/token", providertest.OwnToken(), key.Sign(b.KubernetesToken(name))).StatusCode
		}
		if first, last := status(a.Key), status(z.Key); first != http.StatusOK || last != http.StatusOK {
			t.Errorf("got %d and %d, want 200", first, last)
		}
		a.Keys.Break()
		b.Advance(25 * time.Hour)
		if first, last := status(a.Key), status(z.Key); first != http.StatusServiceUnavailable || last != http.StatusOK {
			t.Errorf("without the keys of one cluster: got %d and %d, want 503 and 200", first, last)
		}
	})
}

// Keys that cannot be fetched are no wrong credential: the answer is 503, it counts as no failed
// attempt, and the failure is remembered for five seconds.
func TestClientAssertion_UnreachableKeysAreNoFailedAttempt(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		issuer, served := providertest.ServeIssuer(t), providertest.ServeKeys(t, clientKeys["ES256"])
		keyed := b.KeyClient(t, "keyed", func(c *storage.Client) { c.Metadata.JWKSURI = served.URL })
		workload := b.WorkloadClient(t, "workload", storage.Federation{Name: "cluster", Kind: storage.FederationKubernetes, Issuer: issuer.URL, Subject: providertest.KubernetesSubject})
		for name, c := range map[string]struct {
			keys *providertest.KeyServer
			ask  func(providertest.ClientKey) providertest.Answer
			key  providertest.ClientKey
		}{
			"jwks_uri": {served, func(key providertest.ClientKey) providertest.Answer {
				return keyed.PostAssertion(t, "/token", providertest.OwnToken(), key.Sign(keyed.AssertionClaims()))
			}, clientKeys["ES256"]},
			"issuer": {issuer.Keys, func(key providertest.ClientKey) providertest.Answer {
				return workload.PostWorkload(t, "/token", providertest.OwnToken(), key.Sign(b.KubernetesToken(issuer.URL)))
			}, issuer.Key},
		} {
			c.keys.Break()
			events := len(b.Events(t))
			for range 30 {
				a := c.ask(c.key)
				if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") != "5" || !strings.Contains(a.Body, `"temporarily_unavailable"`) {
					t.Fatalf("%s: got %d %s", name, a.StatusCode, a.Body)
				}
			}
			if got := c.keys.Fetches.Load(); got != 1 {
				t.Errorf("%s: 30 requests led to %d fetches, want 1", name, got)
			}
			if got := len(b.Events(t)); got != events {
				t.Errorf("%s: %d events were recorded", name, got-events)
			}
			for step, document := range map[string]string{"no key": `{"keys":[]}`, "no JSON": "x"} {
				c.keys.Publish(document)
				b.Advance(6 * time.Second)
				if a := c.ask(c.key); a.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("%s with %s: got %d %s", name, step, a.StatusCode, a.Body)
				}
			}
			c.keys.Publish(providertest.JWKS(c.key))
			b.Advance(6 * time.Second)
			stranger := providertest.NewClientKey(c.key.Algorithm, c.key.ID)
			providertest.WantRefusedClient(t, name+": a wrong key after that", c.ask(stranger)) // and not 429
			if a := c.ask(c.key); a.StatusCode != http.StatusOK {
				t.Errorf("%s: the keys are back: got %d %s", name, a.StatusCode, a.Body)
			}
		}
		if !strings.Contains(b.Log.String(), `"cause":"client_keys_unreachable"`) || strings.Contains(b.Log.String(), "upstream") {
			t.Errorf("the log does not name the cause, or it speaks of an upstream:\n%s", b.Log.String())
		}
	})
}

// The discovery document of an issuer must name the issuer, and keys in the issuer's domain.
func TestWorkload_DiscoveryDocumentIsChecked(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		issuer, elsewhere := providertest.ServeIssuer(t), providertest.ServeIssuer(t)
		client := b.WorkloadClient(t, "robot", storage.Federation{Name: "cluster", Kind: storage.FederationKubernetes, Issuer: issuer.URL, Subject: providertest.KubernetesSubject})
		ask := func() int {
			b.Advance(6 * time.Second)
			return client.PostWorkload(t, "/token", providertest.OwnToken(), issuer.Key.Sign(b.KubernetesToken(issuer.URL))).StatusCode
		}
		for name, document := range map[string]string{
			"another issuer":        fmt.Sprintf(`{"issuer":%q,"jwks_uri":"%s/keys"}`, issuer.URL+"/", issuer.URL),
			"no issuer":             fmt.Sprintf(`{"jwks_uri":"%s/keys"}`, issuer.URL),
			"no jwks_uri":           fmt.Sprintf(`{"issuer":%q}`, issuer.URL),
			"keys at another host":  fmt.Sprintf(`{"issuer":%q,"jwks_uri":"%s/keys"}`, issuer.URL, elsewhere.URL),
			"keys without https":    fmt.Sprintf(`{"issuer":%q,"jwks_uri":"http://example.com/keys"}`, issuer.URL),
			"a number as jwks_uri":  fmt.Sprintf(`{"issuer":%q,"jwks_uri":7}`, issuer.URL),
			"two values of one":     fmt.Sprintf(`{"issuer":%q,"jwks_uri":"%s/keys","jwks_uri":"%s/keys"}`, issuer.URL, elsewhere.URL, issuer.URL),
			"a list":                `[]`,
			"a page":                `<html>`,
			"more than the maximum": `{"more":"` + strings.Repeat("a", 600<<10) + `"}`,
		} {
			issuer.Document.Store(&document)
			if got := ask(); got != http.StatusServiceUnavailable {
				t.Errorf("%s: got %d, want 503", name, got)
			}
		}
		if n := elsewhere.Keys.Fetches.Load() + issuer.Keys.Fetches.Load(); n != 0 {
			t.Errorf("%d fetches of keys that no valid document names", n)
		}
		issuer.Document.Store(nil)
		if got := ask(); got != http.StatusOK {
			t.Errorf("the valid document: got %d, want 200", got)
		}
	})
}

// A client that registers itself cannot name issuers.
func TestWorkload_ClientCannotRegisterFederations(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		registered := b.RegisterItself(t, "", `{"redirect_uris":["https://app.example.com/cb"],"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://app.example.com/keys",
			"federations":[{"name":"x","kind":"oidc","issuer":"https://attacker.example","subject":"a:b"}]}`)
		if _, shown := registered["federations"]; shown {
			t.Errorf("the answer has federations: %v", registered)
		}
		if c, err := b.DB.Client(t.Context(), registered["client_id"].(string)); err != nil || len(c.Federations) != 0 {
			t.Errorf("stored %+v, %v", c.Federations, err)
		}
	}, providertest.WithRegistration(directory.RegistrationOpen))
}
