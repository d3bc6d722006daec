// Package provider is the OpenID provider.
package provider
