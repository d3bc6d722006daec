// Command apiserver authenticates tokens as the API server of Kubernetes does, with the code of
// the API server. It reads an AuthenticationConfiguration, and then one token per line. It
// answers each token with a line of JSON: the username and the groups, or the error.
//
//	apiserver CONFIGURATION
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
)

// authority is the certificate authority of an issuer, as PEM.
type authority []byte

func (a authority) CurrentCABundleContent() []byte { return a }

// answer is the result for one token.
type answer struct {
	Username string   `json:"username,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	Error    string   `json:"error,omitempty"`
}

func main() {
	configuration, err := load(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	authenticator, err := newAuthenticator(configuration.JWT[0])
	if err != nil {
		log.Fatal(err)
	}
	tokens := bufio.NewScanner(os.Stdin)
	tokens.Buffer(nil, 1<<20)
	for tokens.Scan() {
		var said answer
		switch response, known, err := authenticator.AuthenticateToken(context.Background(), tokens.Text()); {
		case err != nil:
			said.Error = err.Error()
		case !known:
			said.Error = "the token is of no known issuer"
		default:
			said.Username, said.Groups = response.User.GetName(), response.User.GetGroups()
		}
		line, err := json.Marshal(said)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(line))
	}
}

// load reads a configuration and refuses unknown fields, as kube-apiserver does with the file of
// --authentication-config.
func load(file string) (*apiserver.AuthenticationConfiguration, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	decoded, err := runtime.Decode(serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDecoder(), text)
	if err != nil {
		return nil, err
	}
	configuration, is := decoded.(*apiserver.AuthenticationConfiguration)
	if !is {
		return nil, fmt.Errorf("%s contains a %T", file, decoded)
	}
	return configuration, validation.ValidateAuthenticationConfiguration(authenticationcel.NewDefaultCompiler(), configuration, nil).ToAggregate()
}

// newAuthenticator returns an authenticator that has read the keys of its issuer. With a
// configuration file, kube-apiserver accepts every algorithm that it knows.
func newAuthenticator(settings apiserver.JWTAuthenticator) (oidc.AuthenticatorTokenWithHealthCheck, error) {
	authenticator, err := oidc.New(context.Background(), oidc.Options{
		JWTAuthenticator:     settings,
		CAContentProvider:    authority(settings.Issuer.CertificateAuthority),
		SupportedSigningAlgs: oidc.AllValidSigningAlgorithms(),
	})
	if err != nil {
		return nil, err
	}
	for range 600 {
		if err = authenticator.HealthCheck(); err == nil {
			return authenticator, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, err
}
