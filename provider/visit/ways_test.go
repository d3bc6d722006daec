package visit

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"signet/federation"
	"signet/provider/request"
	"signet/provider/session"
	"signet/storage"
)

func connectorOf(t *testing.T, id string, reauthenticates *bool) federation.Connector {
	t.Helper()
	made, err := federation.New(federation.Config{
		ID: id, Kind: federation.OIDC, Name: id, Issuer: "https://" + id + ".example.com", ClientID: "signet",
		ClientSecret: federation.NewSecret("a secret"), Reauthenticates: reauthenticates,
	}, http.DefaultClient, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// A way is offered if the account has it, it can give a new proof, and it has not just
// failed for this request.
func TestWaysToProve_EveryCombination(t *testing.T) {
	yes, no := true, false
	settings := map[string]*bool{"says": nil, "again": &yes, "never": &no}
	for _, kind := range []request.Kind{request.Code, request.Cookies, request.Page} {
		for setting, value := range settings {
			offered := []federation.Connector{connectorOf(t, setting, value)}
			for row := range 64 {
				has, tried, other, said, password, address := row&1 != 0, row&2 != 0, row&4 != 0, row&8 != 0, row&16 != 0, row&32 != 0
				current := session.Current{}
				if address {
					current.User.Email = "ada@example.com"
				}
				fact := storage.Fact{Kind: storage.FactArrived, Request: "this", Connector: setting}
				if said {
					fact.Proved = 1
				}
				if other { // facts of other requests and of other connectors do not count
					otherRequest, otherConnector := fact, fact
					otherRequest.Request, otherConnector.Connector = "other", "another"
					current.Facts = append(current.Facts, otherRequest, otherConnector)
				}
				if tried {
					current.Facts = append(current.Facts, fact)
				}
				owned := storage.SignInMethods{Password: password, Connectors: []string{"removed"}}
				if has {
					owned.Connectors = append(owned.Connectors, setting)
				}
				got := waysToProve(owned, current, request.Request{ID: "this", Kind: kind}, offered)
				able := setting != "never" && (!tried || kind != request.Code && said)
				if got.Password != (password && address) || (len(got.Connectors) == 1) != (has && able) || (len(got.Unable) == 1) != (has && !able) {
					t.Errorf("%s %s row %06b: got %+v", kind, setting, row, got)
				}
				if got.Any() != (got.Password || len(got.Connectors) > 0) || slices.Contains(got.Unable, "removed") {
					t.Errorf("%s %s row %06b: got %+v", kind, setting, row, got)
				}
			}
		}
	}
}
