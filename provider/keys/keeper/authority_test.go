package keeper_test

import (
	"reflect"
	"testing"

	"signet/provider/keys"
	"signet/provider/keys/keeper"
)

// A ring is in the hands of every room that signs or verifies: it has no method of the
// keeper or the rotator, and holds neither.
func TestRing_CannotChangeTheLifeOfAKey(t *testing.T) {
	ring := reflect.TypeFor[*keys.Ring]()
	for _, above := range []reflect.Type{reflect.TypeFor[*keeper.Keeper](), reflect.TypeFor[*keeper.Rotator]()} {
		if above.NumMethod() == 0 {
			t.Fatalf("%s has no methods: this test shows nothing", above)
		}
		for method := range above.Methods() {
			if _, has := ring.MethodByName(method.Name); has {
				t.Errorf("a ring has %s of %s", method.Name, above)
			}
		}
	}
}
