package accountstates_test

import (
	"fmt"
	"os"
	"testing"

	"signet/storage/storagetest"
)

// soaking reports whether the walk takes every step in every state (make soak).
func soaking() bool { return os.Getenv("SIGNET_SOAK") != "" }

// walk knows which steps are still to be taken.
type walk struct {
	states []account
	left   map[string]bool // goals that are not reached yet
}

// newWalk plans a walk through all states. In CI it takes each act with each value of each part of the
// state, and each act after each sign-in with each of its results; in soak it takes each step in each state.
func newWalk(mails bool) *walk {
	w := &walk{reachable(mails), map[string]bool{}}
	for _, a := range w.states {
		for _, s := range a.steps() {
			for _, goal := range goals(a, s) {
				w.left[goal] = true
			}
		}
	}
	return w
}

// goals lists the goals that a step in a state reaches.
func goals(a account, s step) (list []string) {
	if soaking() {
		return []string{fmt.Sprint(a, ": ", s)}
	}
	for _, part := range a.parts() {
		list = append(list, fmt.Sprint(part, ": ", s.Act))
	}
	return append(list, fmt.Sprint(s, ": ", a.do(s).Result))
}

// isUseful reports whether a step covers anything new.
func (w *walk) isUseful(a account, s step) bool {
	for _, goal := range goals(a, s) {
		if w.left[goal] {
			return true
		}
	}
	return false
}

func (w *walk) take(a account, s step) {
	for _, goal := range goals(a, s) {
		delete(w.left, goal)
	}
}

// next returns the shortest way to a useful step from a state, with that step; nil if there is none.
// Steps that do not change the state come first.
func (w *walk) next(from account) []step {
	type path struct {
		at    account
		steps []step
	}
	seen, queue := map[account]bool{from: true}, []path{{at: from}}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		var useful []step
		for _, s := range p.at.steps() {
			after := p.at.do(s).After
			if w.isUseful(p.at, s) {
				useful = append(useful, s)
				if after == p.at {
					return append(p.steps, s)
				}
			}
			if !seen[after] {
				seen[after] = true
				queue = append(queue, path{after, append(append([]step{}, p.steps...), s)})
			}
		}
		if len(useful) > 0 {
			return append(p.steps, useful[0])
		}
	}
	return nil
}

// Each step of a person, in each state of an account, has the outcome of the model: the level that it
// reaches, the values in the tokens, the changes, the sessions that it ends and the mail that tells of it.
//
// MF-13, MF-16: acr, amr and auth_time of the tokens are those of the sign-in, and claim no more.
func TestAccount_EveryStepDoesWhatTheModelSays(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		walks := []bool{backend.Name != "sqlite"} // one walk on each database; all of them in make soak
		if soaking() {
			walks = []bool{false, true}
		}
		for _, mails := range walks {
			t.Run(named(mails, "mails", "no mails"), func(t *testing.T) {
				p, w := open(t, backend, mails), newWalk(mails)
				steps, persons := 0, 0
				for _, born := range births(mails) {
					for w.next(born) != nil {
						o, at := p.person(t, born), born
						persons++
						for path := w.next(at); path != nil && !t.Failed(); path = w.next(at) {
							for _, s := range path {
								w.take(at, s)
								at = o.try(t, at, s)
								steps++
								if t.Failed() {
									t.FailNow()
								}
							}
						}
					}
				}
				if len(w.left) > 0 {
					t.Errorf("%d goals are left", len(w.left))
				}
				t.Logf("%d states, %d steps of %d persons", len(w.states), steps, persons)
			})
		}
	})
}
