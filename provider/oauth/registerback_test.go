package oauth_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/directory"
	"signet/provider/outbound"
	"signet/provider/providertest"
	"signet/storage"
)

// administratorValues are, for each field that a client may register, a value of an administrator.
// Where the rules of registration are stricter than those for administrators, it breaks them.
var administratorValues = map[string]func(c *storage.Client){
	"client_name": func(c *storage.Client) { c.Name = "Tom\u200b & Søn " },
	"redirect_uris": func(c *storage.Client) {
		c.Metadata.RedirectURIs = []string{"http://127.0.0.1:8080/cb", "https://10.0.0.1/cb"}
	},
	"post_logout_redirect_uris":       func(c *storage.Client) { c.Metadata.PostLogoutRedirectURIs = []string{"http://localhost/bye"} },
	"token_endpoint_auth_method":      func(c *storage.Client) { c.Metadata.TokenEndpointAuthMethod = "" },
	"token_endpoint_auth_signing_alg": withOwnKey(func(c *storage.Client) { c.Metadata.TokenEndpointAuthAlg = "ES256" }),
	"grant_types": func(c *storage.Client) {
		c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, storage.GrantClientCredentials, storage.GrantDevice)
	},
	"response_types": func(c *storage.Client) {
		c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, storage.GrantImplicit)
		c.Metadata.ResponseTypes = storage.ResponseTypeNames()
	},
	"scope": func(c *storage.Client) {
		c.Metadata.GrantTypes, c.Metadata.Scope = append(c.Metadata.GrantTypes, storage.GrantClientCredentials), "openid jobs:read"
	},
	"client_uri":                          func(c *storage.Client) { c.Metadata.ClientURI = "https://intranet.local/" },
	"logo_uri":                            func(c *storage.Client) { c.Metadata.LogoURI = "https://intranet.local/logo.png" },
	"policy_uri":                          func(c *storage.Client) { c.Metadata.PolicyURI = "https://localhost/privacy" },
	"tos_uri":                             func(c *storage.Client) { c.Metadata.TosURI = "https://192.168.0.7/terms" },
	"contacts":                            func(c *storage.Client) { c.Metadata.Contacts = []string{"a@example.com", "b@example.com"} },
	"jwks":                                withOwnKey(func(*storage.Client) {}),
	"jwks_uri":                            withOwnKey(func(c *storage.Client) { c.Metadata.JWKS, c.Metadata.JWKSURI = "", "https://keys.internal/jwks" }),
	"subject_type":                        func(c *storage.Client) { c.Metadata.SubjectType = storage.SubjectPairwise },
	"sector_identifier_uri":               func(c *storage.Client) { c.Metadata.SectorURI = sectorOfDocument().URI() },
	"id_token_signed_response_alg":        func(c *storage.Client) { c.Metadata.IDTokenSignedResponseAlg = "ES256" },
	"userinfo_signed_response_alg":        func(c *storage.Client) { c.Metadata.UserinfoSignedAlg = "ES256" },
	"default_max_age":                     func(c *storage.Client) { c.Metadata.DefaultMaxAge = new(int64(0)) },
	"require_auth_time":                   func(c *storage.Client) { c.Metadata.RequireAuthTime = true },
	"default_acr_values":                  func(c *storage.Client) { c.Metadata.DefaultACRValues = []string{"urn:signet:1fa"} },
	"initiate_login_uri":                  func(c *storage.Client) { c.Metadata.InitiateLoginURI = "https://intranet.lan/login" },
	"backchannel_logout_uri":              func(c *storage.Client) { c.Metadata.BackchannelLogoutURI = "https://10.1.2.3/logout" },
	"backchannel_logout_session_required": func(c *storage.Client) { c.Metadata.BackchannelLogoutSession = true },
	"frontchannel_logout_uri":             func(c *storage.Client) { c.Metadata.FrontchannelLogoutURI = "https://rp.example.org:8443/out" },
	"frontchannel_logout_session_required": func(c *storage.Client) {
		c.Metadata.FrontchannelLogoutURI, c.Metadata.FrontchannelSession = "https://rp.example.org:8443/out", true
	},
	"require_pushed_authorization_requests": func(c *storage.Client) { c.Metadata.RequirePushed = true },
	"request_object_signing_alg":            withOwnKey(func(c *storage.Client) { c.Metadata.RequestObjectAlg = "ES256" }),
	"require_signed_request_object":         withOwnKey(func(c *storage.Client) { c.Metadata.RequireSignedRequest = true }),
	"software_id":                           func(c *storage.Client) { c.Metadata.SoftwareID = "photos 2" },
	"software_version":                      func(c *storage.Client) { c.Metadata.SoftwareVersion = "7" },
}

// sectorOfDocument publishes a sector document for the redirect URI of webDocument, on a private
// host that only an administrator may name.
var sectorOfDocument = sync.OnceValue(func() *providertest.SectorServer {
	return providertest.StartSector("https://rp.example.org:8443/cb")
})

// withOwnKey also registers a key for the client.
func withOwnKey(change func(c *storage.Client)) func(c *storage.Client) {
	return func(c *storage.Client) {
		var set any // sorts the members, as the test does when it sends them back
		if err := json.Unmarshal([]byte(providertest.JWKS(providertest.NewClientKey("ES256", "1"))), &set); err != nil {
			panic(err)
		}
		text, _ := json.Marshal(set)
		c.Metadata.TokenEndpointAuthMethod, c.Metadata.JWKS = storage.AuthPrivateKey, string(text)
		change(c)
	}
}

// RFC 7592, section 2.2: a client sends back what it has read. Therefore every value that a client has
// is accepted from it and stays the same, also a value that only an administrator can have given. A
// value that the client did not have is refused as before.
func TestRegister_WhatTheClientHasReadIsAccepted(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		rules := directory.New(directory.Deps{DB: b.DB, Outbound: outbound.New(sectorOfDocument().Outbound()), Now: b.Now, Algorithms: []string{"ES256", "RS256"}, FrontchannelLogout: true})
		sendBack := func(t *testing.T, document string, change func(c *storage.Client), spoil func(members map[string]any)) (before, after storage.Client, a providertest.Answer) {
			t.Helper()
			made := b.RegisterItself(t, "", document)
			id, token, address := made["client_id"].(string), made["registration_access_token"].(string), made["registration_client_uri"].(string)
			before, err := rules.ReviseClient(t.Context(), id, func(c *storage.Client) error { change(c); return nil }, storage.Origin{Actor: "test"})
			if err != nil {
				t.Fatal(err)
			}
			b.Follow(t)
			read := b.SendRegistration(t, http.MethodGet, address, token, "")
			members := map[string]any{}
			if err := json.Unmarshal([]byte(read.Body), &members); err != nil {
				t.Fatalf("%s: %v", read.Body, err)
			}
			spoil(members)
			sent, err := json.Marshal(members)
			if err != nil {
				t.Fatal(err)
			}
			b.Advance(time.Second)
			a = b.SendRegistration(t, http.MethodPut, address, token, string(sent))
			after, err = b.DB.Client(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return before, after, a
		}
		same := func(map[string]any) {}
		for _, f := range directory.ClientFields() {
			if !f.Registers() {
				continue
			}
			change := administratorValues[f.Name]
			if change == nil {
				t.Errorf("%s has no value here: add one to administratorValues", f.Name)
				continue
			}
			t.Run(f.Name, func(t *testing.T) {
				before, after, a := sendBack(t, webDocument, change, same)
				if a.StatusCode != http.StatusOK {
					t.Fatalf("got %d %s", a.StatusCode, a.Body)
				}
				for _, other := range directory.ClientFields() {
					if got, want := other.At(&after), other.At(&before); !reflect.DeepEqual(got, want) {
						gotText, _ := json.Marshal(got)
						wantText, _ := json.Marshal(want)
						t.Errorf("%s is %s, was %s", other.Name, gotText, wantText)
					}
				}
			})
		}
		kinds := map[string]struct {
			document string
			change   func(c *storage.Client)
		}{
			"service": {webDocument, func(c *storage.Client) {
				c.Type, c.Metadata = storage.Service, storage.ClientMetadata{
					GrantTypes: []string{storage.GrantClientCredentials}, Scope: "jobs:read", TokenEndpointAuthMethod: storage.AuthPost, SoftwareID: "jobs",
				}
				c.Resources = []string{"https://api.example.com"}
			}},
			"spa with loopback URIs": {`{"redirect_uris":["https://spa.example.org/"],"token_endpoint_auth_method":"none"}`, func(c *storage.Client) {
				c.Metadata.RedirectURIs = []string{"http://127.0.0.1:3000/cb"}
			}},
			"native": {`{"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none"}`, func(c *storage.Client) {
				c.Metadata.GrantTypes, c.Metadata.ResponseTypes, c.Metadata.RedirectURIs = []string{storage.GrantDevice, storage.GrantRefresh}, nil, nil
			}},
			"first-party app": {webDocument, func(c *storage.Client) { c.FirstParty, c.RefreshGrace = true, time.Minute }},
		}
		for name, kind := range kinds {
			t.Run(name, func(t *testing.T) {
				before, after, a := sendBack(t, kind.document, kind.change, same)
				before.UpdatedAt, after.UpdatedAt = 0, 0
				if a.StatusCode != http.StatusOK || !reflect.DeepEqual(before, after) {
					t.Errorf("got %d %s\nbefore %+v\nafter  %+v", a.StatusCode, a.Body, before, after)
				}
			})
		}
		for name, spoil := range map[string]func(members map[string]any){
			"grant_types":    func(m map[string]any) { m["grant_types"] = append(m["grant_types"].([]any), storage.GrantDevice) },
			"scope":          func(m map[string]any) { m["scope"] = "openid jobs:read jobs:write" },
			"redirect_uris":  func(m map[string]any) { m["redirect_uris"] = []string{"http://127.0.0.1:8080/other"} },
			"response_types": func(m map[string]any) { m["response_types"] = []string{"code", "id_token"} },
			"policy_uri":     func(m map[string]any) { m["policy_uri"] = "https://localhost/other" },
		} {
			_, _, a := sendBack(t, webDocument, func(c *storage.Client) {
				administratorValues["scope"](c)
				administratorValues["redirect_uris"](c)
			}, spoil)
			if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.Body, name) {
				t.Errorf("another value of %s: got %d %s", name, a.StatusCode, a.Body)
			}
		}
	}, providertest.WithRegistration(directory.RegistrationOpen), func(c *provider.Config) {
		c.Algorithms, c.FrontchannelLogout = []string{"ES256", "RS256"}, true
	})
}
