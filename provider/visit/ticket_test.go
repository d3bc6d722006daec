package visit

import (
	"errors"
	"testing"

	"signet/provider/web"
)

// Each difference between two tickets has its own cause in the log.
func TestTicket_DifferenceIsNamedInCause(t *testing.T) {
	want := Ticket{Purpose: "consent", Session: "s", Request: "r", Shown: "w"}
	if err := want.checkEqual(want); err != nil {
		t.Errorf("equal tickets: got %v, want no error", err)
	}
	for cause, got := range map[string]Ticket{
		"ticket_of_other_form":    {"logout", "s", "r", "w"},
		"ticket_of_other_session": {"consent", "x", "r", "w"},
		"ticket_of_other_request": {"consent", "s", "x", "w"},
		"ticket_of_other_content": {"consent", "s", "r", "x"},
	} {
		if err := got.checkEqual(want); !errors.Is(err, ErrStale) || web.CauseOf(err) != cause {
			t.Errorf("%v: got %v with cause %s, want ErrStale with cause %s", got, err, web.CauseOf(err), cause)
		}
	}
}
