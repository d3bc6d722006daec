package assertion

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signet/federation/foreign"
	"signet/provider/web"
	"signet/storage"
)

// subjectRefused is the cause of a token whose issuer and audience a federation names.
const subjectRefused = "federation_subject"

// mismatch is the error of a token that no federation allows. code ends the stable code of the error.
func mismatch(code, format string, args ...any) error {
	return web.Because("federation_"+code, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...))
}

// verifyWorkload checks that a token of a foreign issuer proves the client. All claims are compared
// before keys are fetched, and only from an issuer that the client names. The token is not marked as
// used: workloads present one token several times, and its life is limited instead.
func (v *Verifier) verifyWorkload(ctx context.Context, client storage.Client, a Unverified) error {
	if a.Issuer == v.Issuer {
		// RFC 8725, section 3.12: our tokens have other purposes.
		return mismatch("issuer", "iss is this server, whose tokens prove no client")
	}
	places, err := v.keysFor(client, a)
	if err != nil {
		return err
	}
	if err := a.checkTimes(v.Now()); err != nil {
		return err
	}
	if err := a.checkLife(); err != nil {
		return err
	}
	// token_endpoint_auth_signing_alg is about the key of the client (OIDC Registration, section 2).
	if err := v.checkAlgorithm(a, ""); err != nil {
		return err
	}
	for _, place := range places {
		found := a.signatureError(v.keys.at(place).Verify(ctx, a.token))
		if found == nil {
			return nil
		}
		if !errors.Is(err, ErrNoKeys) { // otherwise the token may be one of those keys
			err = found
		}
	}
	return err
}

// keysFor returns the places of the keys of all federations that allow the claims of a token. Two
// clusters may have the same issuer and different keys.
func (v *Verifier) keysFor(client storage.Client, a Unverified) ([]publishedAt, error) {
	refused := mismatch("issuer", "iss is %q, and no federation of the client has this issuer", foreign.ForError(a.Issuer))
	var places []publishedAt
	for _, f := range client.Federations {
		if f.Issuer != a.Issuer {
			continue
		}
		if err := v.checkFederation(f, a); err != nil {
			if web.CauseOf(refused) != subjectRefused { // the federation that fits best explains the refusal
				refused = err
			}
			continue
		}
		place := publishedAt{address: f.JWKSURI}
		if f.JWKSURI == "" {
			place.issuer = f.Issuer
		}
		if !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	if len(places) == 0 {
		return nil, refused
	}
	return places, nil
}

// checkFederation compares audience and subject of a token with a federation, after the rules of
// its kind of issuer.
func (v *Verifier) checkFederation(f storage.Federation, a Unverified) error {
	if check := eventChecks[f.Kind]; check != nil {
		if err := check(&a); err != nil {
			return err
		}
	}
	audience := cmp.Or(f.Audience, v.Issuer)
	if len(a.audience) != 1 || a.audience[0] != audience {
		return a.invalid("audience", "aud is %q, and federation %s wants only %q", describe(a.audience), f.Name, audience)
	}
	if !f.AllowsSubject(a.Subject) {
		return mismatch("subject", "sub is %q, and federation %s wants %q", foreign.ForError(a.Subject), f.Name, f.Subject)
	}
	return nil
}

// eventChecks refuse, for each kind of issuer, the tokens of workloads that strangers can start.
var eventChecks = map[storage.FederationKind]func(*Unverified) error{
	storage.FederationGitHub: (*Unverified).checkGitHubEvent,
	storage.FederationGitLab: (*Unverified).checkGitLabPipeline,
}

// event returns a claim that says what started a workload.
func (a *Unverified) event(name string) (string, error) {
	event, err := a.text(name)
	if err != nil {
		return "", mismatch("event", "it %w", err)
	}
	if event == "" {
		return "", mismatch("event", "%s is missing", name)
	}
	return event, nil
}

// pullRequest begins the names of the events of pull requests at GitHub, and is a segment of the
// subject of most of them.
const pullRequest = "pull_request"

// checkGitHubEvent refuses the workflows of pull requests. Strangers can start them, and the subject
// does not always say so: with an environment, it names only that.
func (a *Unverified) checkGitHubEvent() error {
	event, err := a.event("event_name")
	if err != nil {
		return err
	}
	if strings.HasPrefix(event, pullRequest) || slices.Contains(strings.Split(a.Subject, ":"), pullRequest) {
		return mismatch("event", "event_name is %q: pull requests are refused", foreign.ForError(event))
	}
	return nil
}

// gitLabMergeRequests are the pipeline_source of pipelines of merge requests and of pull requests
// at other hosts.
var gitLabMergeRequests = []string{"merge_request_event", "external_pull_request_event"}

// checkGitLabPipeline refuses the pipelines of merge requests, and those of branches and tags that
// are not protected. A merge request from a fork has the project of its target and the branch of
// its source in the subject, so a stranger can choose the branch. Its child pipelines have another
// pipeline_source, but ref_protected is false for them too.
func (a *Unverified) checkGitLabPipeline() error {
	source, err := a.event("pipeline_source")
	if err != nil {
		return err
	}
	if slices.Contains(gitLabMergeRequests, source) {
		return mismatch("event", "pipeline_source is %q: merge requests are refused", foreign.ForError(source))
	}
	protected, err := a.event("ref_protected")
	if err != nil {
		return err
	}
	if protected != "true" {
		return mismatch("event", "ref_protected is %q: protect the branch or tag at GitLab", foreign.ForError(protected))
	}
	return nil
}

// checkLife checks that a token was issued for a short time.
func (a *Unverified) checkLife() error {
	issued, found := a.times["iat"]
	if !found {
		return a.invalid("times", "iat is missing")
	}
	if life := a.times["exp"].Sub(issued); life > maxLife+skew {
		return a.invalid("times", "exp is %s after iat, want at most %s: request tokens with a shorter life", life, maxLife)
	}
	return nil
}
