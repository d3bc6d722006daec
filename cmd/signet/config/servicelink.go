package config

import (
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Kubernetes and Docker set variables in a container for each service that it can reach. The
// names begin with the name of the service. For a service called signet or signet-web they
// begin with SIGNET_, like our settings:
//
//	SIGNET_SERVICE_HOST=10.0.0.11                 Kubernetes
//	SIGNET_SERVICE_PORT=80, SIGNET_SERVICE_PORT_HTTP=80
//	SIGNET_PORT=tcp://10.0.0.11:80                Kubernetes, and links of Docker
//	SIGNET_PORT_80_TCP=tcp://10.0.0.11:80
//	SIGNET_PORT_80_TCP_PROTO=tcp, …_PORT=80, …_ADDR=10.0.0.11
//	SIGNET_NAME=/web/signet, SIGNET_ENV_PATH=…    links of Docker alone
//
// Sources: kubernetes.io/docs/concepts/services-networking/service, "Environment
// variables"; docs.docker.com/engine/network/links, "Environment variables".

// serviceLinks holds the patterns of these names, each with a check of the value. A name alone
// is not enough: SIGNET_PORT=8080 is a mistake of the operator and must be reported.
var serviceLinks = []struct {
	name    *regexp.Regexp
	isValue func(value string) bool
}{
	{regexp.MustCompile(`^SIGNET(_[A-Z0-9_.]+)?_SERVICE_HOST$`), isAddress},
	{regexp.MustCompile(`^SIGNET(_[A-Z0-9_.]+)?_SERVICE_PORT(_[A-Z0-9_.]+)?$`), isPort},
	{regexp.MustCompile(`^SIGNET(_[A-Z0-9_.]+)?_PORT(_[0-9]+_(TCP|UDP|SCTP)(_START|_END)?)?$`), isServiceURL},
	{regexp.MustCompile(`^SIGNET(_[A-Z0-9_.]+)?_PORT_[0-9]+_(TCP|UDP|SCTP)_PROTO$`), isTransport},
	{regexp.MustCompile(`^SIGNET(_[A-Z0-9_.]+)?_PORT_[0-9]+_(TCP|UDP|SCTP)_PORT(_START|_END)?$`), isPort},
	{regexp.MustCompile(`^SIGNET(_[A-Z0-9_.]+)?_PORT_[0-9]+_(TCP|UDP|SCTP)_ADDR$`), isAddress},
	{dockerName, isDockerName},
}

var (
	dockerName  = regexp.MustCompile(`^SIGNET(_[A-Z0-9_.]+)?_NAME$`)
	dockerNames = regexp.MustCompile(`^/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$`) // name of the container, name of the link
)

func isAddress(value string) bool {
	_, err := netip.ParseAddr(value)
	return err == nil
}

func isPort(value string) bool {
	n, err := strconv.ParseUint(value, 10, 16)
	return err == nil && n > 0
}

func isTransport(value string) bool { return value == "tcp" || value == "udp" || value == "sctp" }

func isServiceURL(value string) bool {
	u, err := url.Parse(value)
	return err == nil && isTransport(u.Scheme) && isAddress(u.Hostname()) && isPort(u.Port())
}

func isDockerName(value string) bool { return dockerNames.MatchString(value) }

// isServiceLink reports whether a variable has the name and the value of a service link.
func isServiceLink(name, value string) bool {
	for _, link := range serviceLinks {
		if link.name.MatchString(name) && link.isValue(value) {
			return true
		}
	}
	return false
}

// withoutServiceLinks returns the environment without service links. Docker also copies the
// environment of a linked container, with the prefix LINK_ENV_; those are removed too.
func withoutServiceLinks(env map[string]string) map[string]string {
	kept := maps.Clone(env)
	for name, value := range env {
		if !isServiceLink(name, value) {
			continue
		}
		delete(kept, name)
		if link, ok := strings.CutSuffix(name, "_NAME"); ok {
			maps.DeleteFunc(kept, func(other, _ string) bool { return strings.HasPrefix(other, link+"_ENV_") })
		}
	}
	return kept
}
