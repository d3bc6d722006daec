package storage_test

import (
	"flag"
	"testing"
	"time"
	_ "time/tzdata" // the zones, on a machine that has none
)

var zone = flag.String("zone", "UTC", "the time zone this process must be in")

// TestZone guards TestUseCases_DoNotDependOnTheTimeZone: a time zone that was not found
// would silently be UTC.
func TestZone(t *testing.T) {
	if *zone == "UTC" {
		return // this is the parent, in whatever zone
	}
	want, err := time.LoadLocation(*zone)
	if err != nil {
		t.Fatal(err)
	}
	if got := noon.In(time.Local).Format(time.RFC3339); got != noon.In(want).Format(time.RFC3339) {
		t.Fatalf("noon is %s here, want it as in %s", got, *zone)
	}
}
