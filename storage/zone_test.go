package storage_test

import (
	"flag"
	"testing"
	"time"
	_ "time/tzdata" // for machines without time zone files
)

var zone = flag.String("zone", "UTC", "the time zone this process must be in")

// TestZone guards TestUseCases_DoNotDependOnTheTimeZone: a time zone that was not found
// would silently be UTC.
func TestZone(t *testing.T) {
	if *zone == "UTC" {
		return // this is the parent process, in any zone
	}
	want, err := time.LoadLocation(*zone)
	if err != nil {
		t.Fatal(err)
	}
	if got := noon.In(time.Local).Format(time.RFC3339); got != noon.In(want).Format(time.RFC3339) {
		t.Fatalf("noon is %s in this process, want the time of zone %s", got, *zone)
	}
}
