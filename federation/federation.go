package federation

import (
	"net/http"
	"strings"
	"time"
)

// New makes one connector. It makes no network call. client is the client of package
// outbound for configured hosts; New replaces its redirect rule by a stricter one.
//
// ErrMisconfigured: the settings cannot work; the text names the key.
func New(c Config, client *http.Client, now func() time.Time) (Connector, error) {
	preset, known := presets[c.Kind]
	if !known {
		return nil, misconfigured(c, "type", "is not one of "+strings.Join(KindNames(), ", "))
	}
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	if c.Name == "" {
		c.Name = preset.name
	}
	b := base{preset: preset, caller: newCaller(client, c.Timeout), now: now}
	var err error
	if b.config, err = checkConfig(c); err != nil {
		return nil, err
	}
	if b.config, err = resolveTrust(b.config, preset.trust); err != nil {
		return nil, err
	}
	if c.Kind == GitHub {
		return newGitHub(b)
	}
	return newOIDC(b, quirksOf[c.Kind])
}

// quirksOf lists the kinds that depart from OpenID Connect, and how.
var quirksOf = map[Kind]quirks{
	Google:    {isIssuer: isGoogleIssuer, addParameters: addGoogleParameters, completeIdentity: completeGoogleIdentity, checkAllowed: checkAllowedGoogle},
	Microsoft: {completeSettings: completeMicrosoftSettings, isIssuer: isMicrosoftIssuer, issuers: microsoftIssuers, completeIdentity: completeMicrosoftIdentity},
	Apple:     {completeSettings: completeAppleSettings, completeIdentity: completeAppleIdentity},
}
