package foreign

import (
	"errors"
	"regexp"
	"time"
	_ "time/tzdata" // for machines without time zone files
)

var zoneName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$`)

// TimeZone loads a zone by its name in the time zone database (OIDC Core, section 5.1).
// It refuses "Local", which would be the server's zone.
func TimeZone(name string) (*time.Location, error) {
	if name == "Local" || !zoneName.MatchString(name) {
		return nil, errors.New("is not the name of a time zone, such as Europe/Berlin")
	}
	return time.LoadLocation(name)
}
