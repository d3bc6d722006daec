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

// credentials authenticate us as a client of the upstream.
type credentials struct {
	clientID string
	secret   Secret
	method   string // a token_endpoint_auth_method; "": see withMethod
	key      crypto.Signer
	keyID    string
	teamID   string // only for Apple, where the key signs the client secret
}

// assertionLife is how long a client assertion is valid. It covers the duration of one
// call and the difference of the clocks.
const assertionLife = 5 * time.Minute

// newCredentials reads the settings. method stays "" if it depends on the upstream's
// metadata. ErrMisconfigured.
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
	secretMissing := as.secret.Reveal() == "" && c.Kind != Apple // Apple's secret is a token that the key signs
	switch {
	case as.method == privateKeyJWT && as.key == nil:
		return as, misconfigured(c, "client_key", "is missing")
	case (as.method == secretBasic || as.method == secretPost) && secretMissing:
		return as, misconfigured(c, "client_secret", "is missing")
	}
	return as, checkSecretUsed(c, as.method)
}

// checkSecretUsed refuses a client secret that neither authenticates the client nor
// verifies tokens. method is "" if the upstream's metadata decide between the two ways to
// send a secret. ErrMisconfigured.
func checkSecretUsed(c Config, method string) error {
	verifies := slices.ContainsFunc(c.Algorithms, func(a string) bool { return slices.Contains(symmetric, a) })
	if c.ClientSecret.Reveal() == "" || verifies {
		return nil
	}
	const remove = ": remove one of them (only algorithms with HS256, HS384 or HS512 use both)"
	switch {
	case c.Kind == Apple:
		return misconfigured(c, "client_secret", "is set, but type apple makes its secret from client_key: remove client_secret")
	case c.ClientAuth == "" && method == privateKeyJWT:
		return misconfigured(c, "client_secret", "is set, but client_key authenticates the client without it"+remove)
	case method == privateKeyJWT || method == noSecret:
		return misconfigured(c, "client_secret", "is set, but client_auth "+method+" does not use it"+remove)
	}
	return nil
}

// checkMethod refuses a method that this kind of upstream does not support: every sign-in
// would fail. method is "" if it depends on the upstream's metadata. ErrMisconfigured.
func checkMethod(c Config, method string) error {
	preset := presets[c.Kind]
	if method == "" || preset.clientAuth == nil || slices.Contains(preset.clientAuth, method) {
		return nil
	}
	id, supported := foreign.ForError(c.ID), strings.Join(preset.clientAuth, ", ")
	switch {
	case c.ClientAuth != "":
		return misconfigured(c, "client_auth", fmt.Sprintf("is %s, but %s supports only %s", method, preset.name, supported))
	case method == noSecret:
		return misconfigured(c, "client_secret", fmt.Sprintf("is missing: without it nobody can sign in through %s (example: client_secret_file: /run/secrets/%s)", preset.name, id))
	}
	return misconfigured(c, "client_key", fmt.Sprintf("is set, but %s supports only %s: set client_secret instead", preset.name, supported))
}

// impliedMethod returns the method that follows from the configured credentials; "" if it
// depends on the upstream's metadata.
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
		return nil, errors.New("is not a private key in PKCS #8, PKCS #1 or SEC 1 form")
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
	return "", errors.New("has an unsupported type: use RSA, P-256, P-384, P-521 or Ed25519")
}

// withMethod returns the credentials with a method. If the settings do not decide, it is
// client_secret_basic, which every upstream must support (RFC 6749, section 2.3.1), or
// client_secret_post if the upstream advertises only that.
func (as credentials) withMethod(advertised []string) credentials {
	if as.method == "" {
		as.method = secretBasic
		if len(advertised) > 0 && !slices.Contains(advertised, secretBasic) && slices.Contains(advertised, secretPost) {
			as.method = secretPost
		}
	}
	return as
}

// apply adds the client authentication to a token request.
func (as credentials) apply(endpoint string, form url.Values, header http.Header, at time.Time) error {
	secret := as.secret
	if as.teamID != "" {
		// Apple's client secret is a token that the developer's key signs.
		made, err := as.assertion(as.teamID, "https://appleid.apple.com", at)
		if err != nil {
			return err
		}
		secret = NewSecret(made)
	}
	switch as.method {
	case secretBasic:
		// RFC 6749, section 2.3.1: id and secret are form-encoded before they are joined.
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

// assertion signs a client assertion for one request (RFC 7523, section 3).
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
