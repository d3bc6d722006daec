package directory_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"signet/provider/directory"
	"signet/storage"
)

// keyClient returns a service that authenticates with JWTs.
func keyClient(federations ...storage.Federation) storage.Client {
	return changedClient(storage.Service, func(c *storage.Client) {
		c.Metadata.TokenEndpointAuthMethod, c.Federations = storage.AuthPrivateKey, federations
	})
}

const githubIssuer, clusterIssuer = "https://token.actions.githubusercontent.com", "https://kubernetes.default.svc.cluster.local"

func TestFederations_SubjectsThatNameTheirOwner(t *testing.T) {
	for _, c := range []struct {
		kind            storage.FederationKind
		subject, reason string // reason: "" if the subject is allowed
	}{
		{storage.FederationGitHub, "repo:octo-org/octo-repo:ref:refs/heads/main", ""},
		{storage.FederationGitHub, "repo:octo-org@123456/octo-repo@456789:ref:refs/tags/v*", ""},
		{storage.FederationGitHub, "repo:octo-org/octo-repo:environment:*", ""},
		{storage.FederationGitHub, "repo:octo-org/octo-repo:*:*", ""},
		{storage.FederationGitHub, "", "is missing"},
		{storage.FederationGitHub, "*", "does not begin with repo:"},
		{storage.FederationGitHub, "re*:octo-org/octo-repo:ref:refs/heads/main", "does not begin with repo:"},
		{storage.FederationGitHub, "repository_owner:octo-org:ref:refs/heads/main", "does not begin with repo:"},
		{storage.FederationGitHub, "repo:*:ref:refs/heads/main", "star"},
		{storage.FederationGitHub, "repo:octo-org/*:ref:refs/heads/main", "star"},
		{storage.FederationGitHub, "repo:octo-*/octo-repo:ref:refs/heads/main", "star"},
		{storage.FederationGitHub, "repo:octo-org/octo-repo@*:ref:refs/heads/main", "star"},
		{storage.FederationGitHub, "repo:octo-org:ref:refs/heads/main", "owner and project"},
		{storage.FederationGitHub, "repo:octo-org/:ref:refs/heads/main", "owner and project"},
		{storage.FederationGitHub, "repo:", "star"},
		{storage.FederationGitHub, "repo:octo-org/octo-repo:ref:refs/heads/a*b*", "two stars"},
		{storage.FederationGitHub, "repo:octo-org/octo-repo:ref:refs/heads/**", "two stars"},
		{storage.FederationGitHub, "repo:octo-org/octo-repo:pull_request", "pull requests"},
		{storage.FederationGitHub, "repo:octo-org/octo-repo:pull_request:environment:x", "pull requests"},
		{storage.FederationGitHub, "repo:octo-org/octo-repo:*", "pull requests"},
		{storage.FederationGitHub, "repo:octo-org/octo-repo:ref:\n", "control characters"},
		{storage.FederationGitHub, "repo:octo-org/octo-repo:ref:" + strings.Repeat("a", 500), "500 bytes"},
		{storage.FederationGitLab, "project_path:my-group/my-project:ref_type:branch:ref:main", ""},
		{storage.FederationGitLab, "project_path:my-group/sub/my-project:ref_type:*:ref:*", ""},
		{storage.FederationGitLab, "project_path:my-group/*:ref_type:branch:ref:main", "star"},
		{storage.FederationGitLab, "project_path:my-group:ref_type:branch:ref:main", "owner and project"},
		{storage.FederationGitLab, "repo:my-group/my-project:ref:main", "does not begin with project_path:"},
		{storage.FederationKubernetes, "system:serviceaccount:my-namespace:my-account", ""},
		{storage.FederationKubernetes, "system:serviceaccount:my-namespace:*", ""},
		{storage.FederationKubernetes, "system:serviceaccount:*:my-account", "star"},
		{storage.FederationKubernetes, "system:serviceaccount:my-*:my-account", "star"},
		{storage.FederationKubernetes, "system:serviceaccount::my-account", "star"},
		{storage.FederationKubernetes, "system:serviceaccount:my-namespace", "one account"},
		{storage.FederationKubernetes, "system:node:x", "does not begin with system:serviceaccount:"},
		{storage.FederationOIDC, "org/123/project/456/user/*", ""},
		{storage.FederationOIDC, "my-team:*", ""},
		{storage.FederationOIDC, "0oa1b2c3", ""},
		{storage.FederationOIDC, "project_path:my-group/my-project:ref_type:branch:ref:main", "use the kind gitlab"},
		{storage.FederationOIDC, "repo:octo-org/octo-repo:ref:refs/heads/main", "use the kind github"},
		{storage.FederationOIDC, "*", "star"},
		{storage.FederationOIDC, "*:my-job", "star"},
		{storage.FederationOIDC, "my-*:my-job", "star"},
		{storage.FederationOIDC, "my-*/my-job", "star"},
		{storage.FederationOIDC, ":my-job", "star"},
	} {
		f := storage.Federation{Name: "f", Kind: c.kind, Issuer: "https://issuer.example", Subject: c.subject}
		problems := problemsOf(keyClient(f))
		switch {
		case c.reason == "" && problems != "":
			t.Errorf("%s %q is refused: %s", c.kind, c.subject, problems)
		case c.reason != "" && (!strings.HasPrefix(problems, "federations: f: the subject ") || !strings.Contains(problems, c.reason) || strings.Contains(problems, "\n")):
			t.Errorf("%s %q: got %q, want one problem with %q", c.kind, c.subject, problems, c.reason)
		}
	}
}

func TestFederations_WrongValuesAreRefused(t *testing.T) {
	const subject = "system:serviceaccount:my-namespace:my-account"
	good := storage.Federation{Name: "cluster", Kind: storage.FederationKubernetes, Issuer: clusterIssuer, Subject: subject}
	if problems := problemsOf(keyClient(good)); problems != "" {
		t.Fatalf("the valid federation: %s", problems)
	}
	for name, c := range map[string]struct {
		change func(f *storage.Federation)
		reason string
	}{
		"no name":              {func(f *storage.Federation) { f.Name = "" }, "the name"},
		"a name with a slash":  {func(f *storage.Federation) { f.Name = "a/b" }, "the name"},
		"a name in capitals":   {func(f *storage.Federation) { f.Name = "Cluster" }, "the name"},
		"a long name":          {func(f *storage.Federation) { f.Name = strings.Repeat("a", 65) }, "the name"},
		"an unknown kind":      {func(f *storage.Federation) { f.Kind = "githab" }, "use github, gitlab, kubernetes, oidc"},
		"no issuer":            {func(f *storage.Federation) { f.Issuer = "" }, "is missing"},
		"an http issuer":       {func(f *storage.Federation) { f.Issuer = "http://issuer.example" }, "must be https"},
		"an issuer with query": {func(f *storage.Federation) { f.Issuer = "https://issuer.example/?a=b" }, "query"},
		"a fragment":           {func(f *storage.Federation) { f.Issuer = "https://issuer.example/#a" }, "fragment"},
		"a password":           {func(f *storage.Federation) { f.Issuer = "https://a:b@issuer.example" }, "password"},
		"a name as issuer":     {func(f *storage.Federation) { f.Issuer = "kubernetes/serviceaccount" }, "absolute"},
		"the issuer of GitHub": {func(f *storage.Federation) { f.Issuer = githubIssuer }, "use the kind github"},
		"one below it":         {func(f *storage.Federation) { f.Issuer = githubIssuer + "/octocat-inc" }, "use the kind github"},
		"an http jwks_uri":     {func(f *storage.Federation) { f.JWKSURI = "http://issuer.example/keys" }, "the jwks_uri"},
		"control characters":   {func(f *storage.Federation) { f.Audience = "a\x00" }, "the audience"},
		"a long audience":      {func(f *storage.Federation) { f.Audience = strings.Repeat("a", 3000) }, "the audience"},
	} {
		f := good
		c.change(&f)
		problems := problemsOf(keyClient(f))
		if !strings.HasPrefix(problems, "federations: ") || !strings.Contains(problems, c.reason) || strings.Contains(problems, "\n") {
			t.Errorf("%s: got %q, want one problem with %q", name, problems, c.reason)
		}
	}
	if problems := problemsOf(keyClient(good, good)); !strings.Contains(problems, `"cluster" is used twice`) {
		t.Errorf("two of one name: got %q", problems)
	}
	if problems := problemsOf(keyClient(make([]storage.Federation, 21)...)); !strings.Contains(problems, "more than 20") {
		t.Errorf("21 of them: got %q", problems)
	}
}

func TestAddFederation_DefaultsOfTheKind(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		made, _ := h.create(t, keyClient())
		add := func(f storage.Federation) error {
			_, err := h.AddFederation(t.Context(), made.ID, f, storage.Origin{})
			return err
		}
		for _, f := range []storage.Federation{
			{Kind: storage.FederationGitHub, Subject: "repo:octo-org/octo-repo:ref:refs/heads/main"},
			{Kind: storage.FederationGitLab, Subject: "project_path:a/b:ref_type:branch:ref:main", Name: "lab"},
			{Kind: storage.FederationGitHub, Subject: "repo:octo-org/octo-repo:environment:x", Name: "enterprise", Issuer: "https://github.example.com/_services/token"},
		} {
			if err := add(f); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		stored, err := h.db.Client(t.Context(), made.ID)
		for _, f := range stored.Federations {
			got = append(got, f.Name+" "+f.Issuer)
		}
		if want := []string{"github " + githubIssuer, "lab https://gitlab.com", "enterprise https://github.example.com/_services/token"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		if _, err := h.RemoveFederation(t.Context(), made.ID, "lab", storage.Origin{}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.RemoveFederation(t.Context(), made.ID, "lab", storage.Origin{}); !errors.Is(err, directory.ErrNoFederation) {
			t.Errorf("removed again: got %v, want ErrNoFederation", err)
		}
		if stored, err = h.db.Client(t.Context(), made.ID); err != nil || len(stored.Federations) != 2 || stored.Federations[1].Name != "enterprise" {
			t.Errorf("after one was removed: %+v, %v", stored.Federations, err)
		}
		own := storage.Federation{Kind: storage.FederationOIDC, Issuer: testIssuer, Subject: "a:b"}
		if err := add(own); !errors.Is(err, directory.ErrInvalidClient) || !strings.Contains(err.Error(), "this server") {
			t.Errorf("the issuer of this server: got %v", err)
		}
		if _, err := h.AddFederation(t.Context(), "nobody", own, storage.Origin{}); !errors.Is(err, directory.ErrInvalidClient) {
			t.Errorf("an unknown client: got %v", err)
		}
		if _, err := h.RemoveFederation(t.Context(), "nobody", "x", storage.Origin{}); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("an unknown client: got %v", err)
		}
	})
}

// A client authenticates either with JWTs or with a secret: a token of a workload is no second way
// beside a secret.
func TestFederations_OnlyForClientsWithJWTs(t *testing.T) {
	eachDirectory(t, func(t *testing.T, h testDirectory) {
		f := storage.Federation{Kind: storage.FederationGitHub, Subject: "repo:octo-org/octo-repo:ref:refs/heads/main"}
		for _, kind := range clientTypes {
			made, _ := h.create(t, changedClient(kind, func(c *storage.Client) { c.ID = string(kind) }))
			_, err := h.AddFederation(t.Context(), made.ID, f, storage.Origin{})
			problems, is := errors.AsType[*directory.ClientError](err)
			if !is || len(problems.Problems) != 1 || problems.Problems[0].Code != directory.NoEffect {
				t.Errorf("%s: got %v, want one problem with the code %s", kind, err, directory.NoEffect)
			}
		}
		made, _ := h.create(t, keyClient())
		if _, err := h.AddFederation(t.Context(), made.ID, f, storage.Origin{}); err != nil {
			t.Fatal(err)
		}
		change := func(method string, keep bool) error {
			_, err := h.ReviseClient(t.Context(), made.ID, func(c *storage.Client) error {
				c.Metadata.TokenEndpointAuthMethod = method
				if !keep {
					c.Federations = nil
				}
				return nil
			}, storage.Origin{})
			return err
		}
		if err := change(storage.AuthPost, true); !errors.Is(err, directory.ErrInvalidClient) {
			t.Errorf("a secret beside a federation: got %v", err)
		}
		if err := change(storage.AuthPost, false); err != nil {
			t.Errorf("a secret instead of a federation: got %v", err)
		}
	})
}
