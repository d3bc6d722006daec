package visit

import (
	"errors"
	"testing"

	"signet/provider/web"
)

// Each way in which a ticket can be another one has its own cause in the log.
func TestTicket_DiffersNamesTheCause(t *testing.T) {
	want := Ticket{Purpose: "consent", Session: "s", Request: "r", Shown: "w"}
	if err := want.differs(want); err != nil {
		t.Errorf("an equal ticket: %v", err)
	}
	for cause, got := range map[string]Ticket{
		"ticket_of_other_form":    {"logout", "s", "r", "w"},
		"ticket_of_other_session": {"consent", "x", "r", "w"},
		"ticket_of_other_request": {"consent", "s", "x", "w"},
		"ticket_of_other_content": {"consent", "s", "r", "x"},
	} {
		if err := got.differs(want); !errors.Is(err, ErrStale) || web.CauseOf(err) != cause {
			t.Errorf("%v: %v, cause %s, want %s", got, err, web.CauseOf(err), cause)
		}
	}
}
