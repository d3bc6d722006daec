package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"signet/storage"
)

const (
	maxFederations = 20
	maxSubject     = 500 // bytes
)

// ErrNoFederation: the client has no federation of this name.
var ErrNoFederation = errors.New("the client has no federation of this name")

// FederationPreset holds the facts of one kind of foreign issuer.
type FederationPreset struct {
	Kind    storage.FederationKind
	Title   string
	Issuer  string // "": the administrator gives it
	Example string // of a subject

	prefix     string // that subjects begin with
	separators string // end the literal segments
	literal    int    // number of segments at the beginning that have no star
}

var federationPresets = []FederationPreset{
	{storage.FederationGitHub, "GitHub Actions", "https://token.actions.githubusercontent.com", "repo:octo-org/octo-repo:ref:refs/heads/main", "repo:", ":", 2},
	{storage.FederationGitLab, "GitLab CI/CD", "https://gitlab.com", "project_path:my-group/my-project:ref_type:branch:ref:main", "project_path:", ":", 2},
	{storage.FederationKubernetes, "service accounts of a Kubernetes cluster", "", "system:serviceaccount:my-namespace:my-account", "system:serviceaccount:", ":", 3},
	{storage.FederationOIDC, "any other issuer of OpenID Connect", "", "my-team:my-job", "", ":/", 1},
}

// FederationPresets lists the kinds of foreign issuers.
func FederationPresets() []FederationPreset { return slices.Clone(federationPresets) }

// FindFederationPreset returns the preset of a kind.
func FindFederationPreset(kind storage.FederationKind) (FederationPreset, bool) {
	i := slices.IndexFunc(federationPresets, func(p FederationPreset) bool { return p.Kind == kind })
	if i < 0 {
		return FederationPreset{}, false
	}
	return federationPresets[i], true
}

func federationKinds() string {
	var names []string
	for _, p := range federationPresets {
		names = append(names, string(p.Kind))
	}
	return strings.Join(names, ", ")
}

// AddFederation lets the tokens of a foreign issuer prove a client. An empty name or issuer gets the
// default of the kind. Event client.updated. Errors: *ClientError, storage.ErrNotFound.
func (d *Directory) AddFederation(ctx context.Context, id string, f storage.Federation, from storage.Origin) (storage.Client, error) {
	preset, _ := FindFederationPreset(f.Kind)
	f.Name, f.Issuer = cmp.Or(f.Name, string(f.Kind)), cmp.Or(f.Issuer, preset.Issuer)
	if f.Issuer == d.issuer && f.Issuer != "" {
		// RFC 8725, section 3.12: the tokens of this server have other purposes.
		return storage.Client{}, &ClientError{[]*ClientFieldError{newFieldError(federationsField, fmt.Errorf("%s: the issuer is this server, whose tokens prove no client", shortened(f.Name)))}}
	}
	return d.ReviseClient(ctx, id, func(c *storage.Client) error {
		c.Federations = slices.Concat(c.Federations, []storage.Federation{f})
		return nil
	}, from)
}

// RemoveFederation removes the federation with this name from a client. Event client.updated.
// Errors: ErrNoFederation, *ClientError, storage.ErrNotFound.
func (d *Directory) RemoveFederation(ctx context.Context, id, name string, from storage.Origin) (storage.Client, error) {
	return d.ReviseClient(ctx, id, func(c *storage.Client) error {
		i := slices.IndexFunc(c.Federations, func(f storage.Federation) bool { return f.Name == name })
		if i < 0 {
			return ErrNoFederation
		}
		c.Federations = slices.Concat(c.Federations[:i], c.Federations[i+1:])
		return nil
	}, from)
}

// federationsField is the name of the federations in problems. They are no ClientField, because
// they are added and removed one by one.
const federationsField = "federations"

var federationName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

func checkFederations(c storage.Client, wrong report) {
	if len(c.Federations) > maxFederations {
		wrong("has more than %d entries", maxFederations)
	}
	for i, f := range c.Federations {
		if !federationName.MatchString(f.Name) {
			wrong("the name %q is not 1 to 64 lower-case letters, digits or hyphens", shortened(f.Name))
			continue
		}
		if slices.ContainsFunc(c.Federations[:i], func(other storage.Federation) bool { return other.Name == f.Name }) {
			wrong("the name %q is used twice: choose another name", f.Name)
		}
		for _, err := range checkFederation(f) {
			wrong("%s: %w", f.Name, err)
		}
	}
}

// checkFederation returns the problems of one federation.
func checkFederation(f storage.Federation) (problems []error) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	preset, known := FindFederationPreset(f.Kind)
	if !known {
		wrong("%q is not a kind of issuer: use %s", shortened(string(f.Kind)), federationKinds())
		return problems
	}
	if err := checkFederationIssuer(f); err != nil {
		wrong("the issuer %q %w", shortened(f.Issuer), err)
	}
	if f.JWKSURI != "" {
		if err := checkRedirectURI(f.JWKSURI, storage.Web); err != nil {
			wrong("the jwks_uri %q %w", shortened(f.JWKSURI), err)
		}
	}
	if len(f.Audience) > storage.MaxURI || strings.ContainsFunc(f.Audience, unprintable) {
		wrong("the audience has control characters or more than %d bytes", storage.MaxURI)
	}
	if err := preset.checkSubject(f); err != nil {
		wrong("the subject %q %w", shortened(f.Subject), err)
	}
	return problems
}

// checkFederationIssuer checks an issuer, which is compared byte by byte (OIDC Core, section 2: an
// https URL without query and fragment).
func checkFederationIssuer(f storage.Federation) error {
	if f.Issuer == "" {
		return errors.New("is missing: enter the iss of the tokens")
	}
	if err := checkRedirectURI(f.Issuer, storage.Web); err != nil {
		return err
	}
	if strings.Contains(f.Issuer, "?") {
		return errors.New("has a query: remove it")
	}
	for _, p := range federationPresets {
		if p.Issuer != "" && p.Kind != f.Kind && hostOf(f.Issuer) == hostOf(p.Issuer) {
			return fmt.Errorf("is that of %s: use the kind %s, which checks more", p.Title, p.Kind)
		}
	}
	return nil
}

// checkSubject checks the pattern of the subject. The segments that name the owner of a workload
// must be literal, because everyone can get tokens with other values there.
func (p FederationPreset) checkSubject(f storage.Federation) error {
	segments := strings.FieldsFunc(f.Subject, func(r rune) bool { return r == ':' || r == '/' })
	literal := p.literalSegments(f.Subject)
	switch {
	case f.Subject == "":
		return fmt.Errorf("is missing: enter the sub of the tokens, such as %s", p.Example)
	case len(f.Subject) > maxSubject || strings.ContainsFunc(f.Subject, unprintable):
		return fmt.Errorf("has control characters or more than %d bytes", maxSubject)
	case !strings.HasPrefix(f.Subject, p.prefix):
		return fmt.Errorf("does not begin with %s: enter one such as %s", p.prefix, p.Example)
	case slices.ContainsFunc(segments, func(s string) bool { return strings.Count(s, "*") > 1 }):
		return errors.New("has two stars in one segment: a star stands for a segment between : and /, or for one part of it")
	case len(literal) < p.literal || slices.Contains(literal, "") || strings.Contains(strings.Join(literal, ""), "*"):
		return fmt.Errorf("must have no star in the first %d of its parts between %q: enter one such as %s", p.literal, p.separators, p.Example)
	case (p.Kind == storage.FederationGitHub || p.Kind == storage.FederationGitLab) && !namesProject(literal[1]):
		return fmt.Errorf("does not name owner and project: enter one such as %s", p.Example)
	case p.Kind == storage.FederationKubernetes && strings.Count(f.Subject, ":") != p.literal:
		return fmt.Errorf("does not name one account: enter one such as %s", p.Example)
	case p.Kind == storage.FederationOIDC && kindOfProject(f.Subject) != "":
		return fmt.Errorf("is the form of a project: use the kind %s with your own --foreign-issuer, which checks more", kindOfProject(f.Subject))
	case p.Kind == storage.FederationGitHub && isForPullRequests(f):
		return fmt.Errorf("is for pull requests, which are refused: enter a branch, a tag or an environment, such as %s", p.Example)
	}
	return nil
}

// literalSegments returns the segments at the beginning that must be literal, fewer if there are not
// so many.
func (p FederationPreset) literalSegments(subject string) (segments []string) {
	for len(segments) < p.literal {
		end := strings.IndexAny(subject, p.separators)
		if end < 0 {
			return append(segments, subject)
		}
		segments, subject = append(segments, subject[:end]), subject[end+1:]
	}
	return segments
}

// kindOfProject returns the kind whose subjects have this form, if its tokens say more about the
// workload than their subject does; "" for none. Servers of a company's own have such subjects too.
func kindOfProject(subject string) storage.FederationKind {
	for _, p := range federationPresets {
		if (p.Kind == storage.FederationGitHub || p.Kind == storage.FederationGitLab) && strings.HasPrefix(subject, p.prefix) {
			return p.Kind
		}
	}
	return ""
}

// namesProject reports whether a path has an owner and a project.
func namesProject(path string) bool {
	parts := strings.Split(path, "/")
	return len(parts) > 1 && !slices.Contains(parts, "")
}

// isForPullRequests reports whether a pattern of GitHub covers only subjects of pull requests.
func isForPullRequests(f storage.Federation) bool {
	parts := strings.Split(f.Subject, ":")
	return slices.Contains(parts, "pull_request") ||
		len(parts) == 3 && f.AllowsSubject(parts[0]+":"+parts[1]+":pull_request")
}

func unprintable(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }

// checkFederationsEffect refuses federations of a client that does not authenticate with JWTs.
func checkFederationsEffect(c storage.Client, wrong report) {
	if len(c.Federations) > 0 && !c.AllowsAuthMethod(storage.AuthPrivateKey) {
		wrong("%w", &noEffect{"are for clients that authenticate with JWTs: set token_endpoint_auth_method to " + storage.AuthPrivateKey +
			", which deletes the secrets of the client, or remove the federations"})
	}
}
