package foreign_test

import (
	"slices"
	"testing"

	"signet/federation/foreign"
)

func TestDistinct_KeepsTheFirstOfEach(t *testing.T) {
	for _, c := range [][2][]string{
		{nil, nil}, {{}, {}}, {{"a"}, {"a"}}, {{"a", "b"}, {"a", "b"}}, {{"a", "a"}, {"a"}}, {{"b", "a", "b", "c", "a", "a", "d"}, {"b", "a", "c", "d"}}, {{"", "a", ""}, {"", "a"}}, {{"a", "A"}, {"a", "A"}},
	} {
		given := slices.Clone(c[0])
		if got := foreign.Distinct(given); !slices.Equal(got, c[1]) || (got == nil) != (c[1] == nil) {
			t.Errorf("%q gives %q, want %q", c[0], got, c[1])
		}
		if !slices.Equal(given, c[0]) {
			t.Errorf("%q was changed to %q", c[0], given)
		}
	}
	list := []string{"openid", "profile", "email"}
	if n := testing.AllocsPerRun(100, func() { foreign.Distinct(list) }); n != 0 {
		t.Errorf("a list without repetitions costs %v allocations", n)
	}
}
