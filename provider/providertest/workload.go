package providertest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"signet/storage"
)

// WorkloadIssuer is a foreign issuer of tokens for workloads. Its discovery document has only the
// members that such issuers publish.
type WorkloadIssuer struct {
	URL  string
	Key  ClientKey
	Keys *KeyServer // at URL + "/keys"

	Discoveries atomic.Int64           // number of fetches of the discovery document
	Document    atomic.Pointer[string] // replaces the discovery document
}

// ServeIssuer starts an issuer with one key for RS256, as GitHub, GitLab and Kubernetes have it.
func ServeIssuer(t testing.TB) *WorkloadIssuer {
	t.Helper()
	i := &WorkloadIssuer{Key: NewClientKey("RS256", "issuer-key"), Keys: &KeyServer{}}
	i.Keys.Publish(JWKS(i.Key))
	routes := http.NewServeMux()
	routes.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept"), "application/jwk-set+json") { // Kubernetes knows no other form
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		i.Keys.ServeHTTP(w, r)
	})
	routes.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.Discoveries.Add(1)
		if document := i.Document.Load(); document != nil {
			_, _ = w.Write([]byte(*document))
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": i.URL, "jwks_uri": i.URL + "/keys", "response_types_supported": []string{"id_token"},
			"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	server := httptest.NewServer(routes)
	t.Cleanup(server.Close)
	i.URL, i.Keys.URL = server.URL, server.URL+"/keys"
	return i
}

// WorkloadClient registers a service that the tokens of these federations prove, and returns the
// testbed as this client.
func (b *Testbed) WorkloadClient(t testing.TB, id string, federations ...storage.Federation) *Testbed {
	t.Helper()
	return b.KeyClient(t, id, func(c *storage.Client) { c.Federations = federations })
}

// PostWorkload posts a form, with a token of a workload as the proof of the testbed's client.
func (b *Testbed) PostWorkload(t testing.TB, path string, form url.Values, token string) Answer {
	t.Helper()
	sent := url.Values{"client_id": {b.Client.ID}}
	for name, values := range form {
		sent[name] = values
	}
	return b.PostAssertion(t, path, sent, token)
}

// The subjects of the workloads below.
const (
	GitHubSubject     = "repo:octo-org@123456/octo-repo@456789:ref:refs/heads/main"
	GitLabSubject     = "project_path:my-group/my-project:ref_type:branch:ref:main"
	KubernetesSubject = "system:serviceaccount:my-namespace:my-account"
)

// GitHubToken returns the claims of a token of GitHub Actions, as its documentation lists them, for
// a workflow on a branch. The subject has the form with the ids of owner and repository.
func (b *Testbed) GitHubToken(issuer string) map[string]any {
	at := b.Now().Unix()
	return map[string]any{
		"jti": "8f1a7a4e-0c4b-4f0e-9c39-1d0a3f1d6f53", "iss": issuer, "aud": b.Issuer, "sub": GitHubSubject,
		"iat": at, "nbf": at - 5, "exp": at + 300,
		"actor": "octocat", "actor_id": "12", "base_ref": "", "head_ref": "", "check_run_id": "54321", "enterprise": "octo-enterprise", "enterprise_id": "7",
		"event_name": "push", "job_workflow_ref": "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
		"job_workflow_sha": "1234567890123456789012345678901234567890", "ref": "refs/heads/main", "ref_protected": "true", "ref_type": "branch",
		"repository": "octo-org/octo-repo", "repository_id": "456789", "repository_owner": "octo-org", "repository_owner_id": "123456",
		"repository_visibility": "private", "run_attempt": "1", "run_id": "1001", "run_number": "10", "runner_environment": "github-hosted",
		"sha": "1234567890123456789012345678901234567890", "workflow": "Deploy",
		"workflow_ref": "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main", "workflow_sha": "1234567890123456789012345678901234567890",
	}
}

// GitLabToken returns the claims of an ID token of GitLab CI/CD, as its documentation lists them,
// for a job with a timeout of an hour.
func (b *Testbed) GitLabToken(issuer string) map[string]any {
	at := b.Now().Unix()
	return map[string]any{
		"jti": "0b1b7f38-6a3f-4f2c-8a52-61ac2a7b9f0e", "iss": issuer, "aud": b.Issuer, "sub": GitLabSubject,
		"iat": at, "nbf": at - 5, "exp": at + 3600,
		"namespace_id": "72", "namespace_path": "my-group", "project_id": "20", "project_path": "my-group/my-project", "project_visibility": "private",
		"user_id": "1", "user_login": "sample-user", "user_email": "sample-user@example.com", "user_access_level": "developer",
		"user_identities": []map[string]string{{"provider": "github", "extern_uid": "2435223452345"}},
		"pipeline_id":     "574", "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main", "ref_protected": "true",
		"environment": "production", "environment_protected": "true", "deployment_tier": "production", "deployment_action": "start",
		"runner_id": 1, "runner_environment": "gitlab-hosted", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
		"ci_config_ref_uri": "gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main", "ci_config_sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
	}
}

// KubernetesToken returns the claims of a projected token of a service account. The API server
// writes aud as a list.
func (b *Testbed) KubernetesToken(issuer string) map[string]any {
	at := b.Now().Unix()
	return map[string]any{
		"iss": issuer, "aud": []string{b.Issuer}, "sub": KubernetesSubject, "iat": at, "nbf": at, "exp": at + 3600,
		"jti": "4c1a4f7d-1d2b-4a1e-9f6a-0c8f2a9f9f11",
		"kubernetes.io": map[string]any{
			"namespace":      "my-namespace",
			"node":           map[string]string{"name": "node-1", "uid": "646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1"},
			"pod":            map[string]string{"name": "worker-5d9f", "uid": "5e0bd49b-f040-43b0-99b7-22765a53f7f3"},
			"serviceaccount": map[string]string{"name": "my-account", "uid": "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798"},
		},
	}
}
