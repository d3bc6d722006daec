package keeper_test

import (
	"reflect"
	"testing"

	"signet/provider/keys"
	"signet/provider/keys/keeper"
)

// Every package that signs or verifies has the ring. So the ring must not have a method of
// the keeper or the rotator.
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
