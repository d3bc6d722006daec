package directory

import (
	"time"

	"signet/federation"
	"signet/storage"
)

// ConnectorDocument is the JSON form of a connector, without its secret.
type ConnectorDocument struct {
	ID             string   `json:"id"`
	Type           string   `json:"type"`
	ClientID       string   `json:"client_id"`
	RedirectURI    string   `json:"redirect_uri,omitempty" doc:"to register at the upstream"`
	SignUp         bool     `json:"signup" doc:"it creates accounts"`
	AutoLink       bool     `json:"link_by_verified_email"`
	AllowedDomains []string `json:"allowed_domains"`

	SucceededAt *time.Time `json:"succeeded_at,omitempty" doc:"time of the last sign-in"`
	FailedAt    *time.Time `json:"failed_at,omitempty" doc:"time of the last failed sign-in"`
	FailureCode string     `json:"failure_code,omitempty"`
}

// WithHealth returns the document with the last sign-ins.
func (d ConnectorDocument) WithHealth(h storage.ConnectorHealth) ConnectorDocument {
	d.SucceededAt, d.FailedAt, d.FailureCode = optionalTime(h.SucceededAt), optionalTime(h.FailedAt), h.FailureCode
	return d
}

// CheckedConnectorDocument is the JSON form of the result of a check.
type CheckedConnectorDocument struct {
	ConnectorDocument
	OK               bool              `json:"ok"`
	Code             string            `json:"code,omitempty" doc:"the code of a sign-in that fails for the same reason"`
	Error            string            `json:"error,omitempty"`
	Warnings         []string          `json:"warnings"`
	Issuer           string            `json:"issuer"`
	Endpoints        map[string]string `json:"endpoints,omitempty"`
	Keys             int               `json:"keys"`
	Algorithms       []string          `json:"algorithms,omitempty"`
	Scopes           []string          `json:"scopes,omitempty"`
	ClientAuth       []string          `json:"client_auth,omitempty"`
	PKCE             bool              `json:"pkce"`
	IssuerInCallback bool              `json:"iss_in_callback"`
	ClockSkew        float64           `json:"clock_skew_seconds"`
}

// DescribeCheck returns the JSON form of a check.
func DescribeCheck(d ConnectorDocument, report federation.Report) CheckedConnectorDocument {
	checked := CheckedConnectorDocument{
		ConnectorDocument: d, OK: report.Err == nil, Warnings: append([]string{}, report.Warnings...), Issuer: report.Issuer,
		Endpoints: report.Endpoints, Keys: report.Keys, Algorithms: report.Algorithms, Scopes: report.Scopes, ClientAuth: report.ClientAuth,
		PKCE: report.PKCE, IssuerInCallback: report.IssuerInCallback, ClockSkew: report.ClockSkew.Seconds(),
	}
	if report.Err != nil {
		checked.Code, checked.Error = federation.ErrorCode(report.Err), report.Err.Error()
	}
	return checked
}
