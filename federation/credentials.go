package federation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/federation/foreign"
)

// credentials prove to an upstream who we are.
type credentials struct {
	clientID string
	secret   Secret
	method   string // a token_endpoint_auth_method
	key      crypto.Signer
	keyID    string
	teamID   string // Apple's; then the secret is made of the key
}

// assertionLife is how long a signed proof is good: as long as the call takes and
// clocks may differ.
const assertionLife = 5 * time.Minute

// newCredentials reads the settings. The method stays "" where the upstream's
// metadata decide.
func newCredentials(c Config) (credentials, error) {
	as := credentials{clientID: c.ClientID, secret: c.ClientSecret, method: c.ClientAuth, keyID: c.ClientKeyID, teamID: c.TeamID}
	if !slices.Contains([]string{"", secretBasic, secretPost, privateKeyJWT, noSecret}, as.method) {
		return as, misconfigured(c, "client_auth", "is not client_secret_basic, client_secret_post, private_key_jwt or none")
	}
	if c.ClientKey.Reveal() != "" {
		key, err := readKey(c.ClientKey)
		if err != nil {
			return as, misconfigured(c, "client_key", err.Error())
		}
		as.key = key
	}
	if as.method == "" {
		as.method = as.impliedMethod(c.Kind)
	}
	if err := checkMethod(c, as.method); err != nil {
		return as, err
	}
	secretMissing := as.secret.Reveal() == "" && c.Kind != Apple // whose secret is made of the key
	switch {
	case as.method == privateKeyJWT && as.key == nil:
		return as, misconfigured(c, "client_key", "is missing")
	case (as.method == secretBasic || as.method == secretPost) && secretMissing:
		return as, misconfigured(c, "client_secret", "is missing")
	}
	return as, checkSecretUsed(c, as.method)
}

// checkSecretUsed refuses a client secret that neither authenticates nor verifies anything.
// method is "" where the upstream's metadata decide between the two ways to send a secret.
func checkSecretUsed(c Config, method string) error {
	verifies := slices.ContainsFunc(c.Algorithms, func(a string) bool { return slices.Contains(symmetric, a) })
	if c.ClientSecret.Reveal() == "" || verifies {
		return nil
	}
	const remove = ": remove one of them (only algorithms with HS256, HS384 or HS512 use both)"
	switch {
	case c.Kind == Apple:
		return misconfigured(c, "client_secret", "is set, and type apple does not use it, because its secret is made of client_key: remove client_secret")
	case c.ClientAuth == "" && method == privateKeyJWT:
		return misconfigured(c, "client_secret", "is set, and client_key proves the client without it"+remove)
	case method == privateKeyJWT || method == noSecret:
		return misconfigured(c, "client_secret", "is set, and client_auth "+method+" does not use it"+remove)
	}
	return nil
}

// checkMethod refuses a method that this kind of upstream does not know: nobody could sign
// in. method is "" where the upstream's metadata decide.
func checkMethod(c Config, method string) error {
	preset := presets[c.Kind]
	if method == "" || preset.clientAuth == nil || slices.Contains(preset.clientAuth, method) {
		return nil
	}
	id, known := foreign.ForError(c.ID), strings.Join(preset.clientAuth, ", ")
	switch {
	case c.ClientAuth != "":
		return misconfigured(c, "client_auth", fmt.Sprintf("is %s, and %s knows only %s", method, preset.name, known))
	case method == noSecret:
		return misconfigured(c, "client_secret", fmt.Sprintf("is missing: without it nobody can sign in through %s (example: client_secret_file: /run/secrets/%s)", preset.name, id))
	}
	return misconfigured(c, "client_key", fmt.Sprintf("is set, and %s knows only %s: set client_secret instead", preset.name, known))
}

// impliedMethod is the method that follows from what is configured; "" if the upstream's
// metadata decide.
func (as credentials) impliedMethod(kind Kind) string {
	switch {
	case as.key != nil && kind != Apple:
		return privateKeyJWT
	case as.key == nil && as.secret.Reveal() == "":
		return noSecret
	}
	return ""
}

func readKey(text Secret) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text.Reveal()))
	if block == nil {
		return nil, errors.New("is not in PEM form")
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("is not a private key")
	}
	if _, err := algorithmOf(signer); err != nil {
		return nil, err
	}
	return signer, nil
}

func algorithmOf(key crypto.Signer) (jose.SignatureAlgorithm, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return jose.RS256, nil
	case ed25519.PrivateKey:
		return jose.EdDSA, nil
	case *ecdsa.PrivateKey:
		switch k.Params().BitSize {
		case 256:
			return jose.ES256, nil
		case 384:
			return jose.ES384, nil
		case 521:
			return jose.ES512, nil
		}
	}
	return "", errors.New("is of a type that signs no tokens")
}

// withMethod is the method where the settings leave it open: basic, which every
// upstream must know (RFC 6749, section 2.3.1), unless it says otherwise.
func (as credentials) withMethod(advertised []string) credentials {
	if as.method == "" {
		as.method = secretBasic
		if len(advertised) > 0 && !slices.Contains(advertised, secretBasic) && slices.Contains(advertised, secretPost) {
			as.method = secretPost
		}
	}
	return as
}

// apply adds to a token request what proves the client.
func (as credentials) apply(endpoint string, form url.Values, header http.Header, at time.Time) error {
	secret := as.secret
	if as.teamID != "" {
		// Apple's client secret is a token of its developer's key.
		made, err := as.assertion(as.teamID, "https://appleid.apple.com", at)
		if err != nil {
			return err
		}
		secret = NewSecret(made)
	}
	switch as.method {
	case secretBasic:
		// RFC 6749, section 2.3.1: form-encoded before they are joined.
		r := http.Request{Header: header}
		r.SetBasicAuth(url.QueryEscape(as.clientID), url.QueryEscape(secret.Reveal()))
	case privateKeyJWT:
		made, err := as.assertion(as.clientID, endpoint, at)
		if err != nil {
			return err
		}
		form.Set("client_id", as.clientID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", made)
	case secretPost:
		form.Set("client_secret", secret.Reveal())
		form.Set("client_id", as.clientID)
	default:
		form.Set("client_id", as.clientID)
	}
	return nil
}

// assertion signs who we are, for one request (RFC 7523, section 3).
func (as credentials) assertion(issuer, audience string, at time.Time) (string, error) {
	algorithm, err := algorithmOf(as.key)
	if err != nil {
		return "", fmt.Errorf("sign client assertion: %w", ErrMisconfigured)
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	if as.keyID != "" {
		options = options.WithHeader("kid", as.keyID)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: as.key}, options)
	if err != nil {
		return "", fmt.Errorf("sign client assertion: %w", ErrMisconfigured)
	}
	claims, err := json.Marshal(map[string]any{
		"iss": issuer, "sub": as.clientID, "aud": audience, "jti": rand.Text(),
		"iat": at.Unix(), "exp": at.Add(assertionLife).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("sign client assertion: %w", ErrMisconfigured)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("sign client assertion: %w", ErrMisconfigured)
	}
	return signed.CompactSerialize()
}
