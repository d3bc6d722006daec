package accountstates_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"signet/storage/storagetest"
)

// soaking reports whether whole walks are wanted (make soak).
func soaking() bool { return os.Getenv("SIGNET_SOAK") != "" }

// walked are the databases on which there was a whole walk. It takes the same steps each time, so a
// second one would find nothing.
var walked = map[string]bool{}

// walk is a plan. It knows which goals are still to be reached.
type walk struct {
	states []account
	edges  [][]edge // of each state
	goals  []bool   // whether a goal is still to be reached
	left   int      // the number of those
	index  map[account]int
}

// edge is a step in a state.
type edge struct {
	step
	to    int   // the state after it
	goals []int // that it reaches
}

// newWalk plans a walk through all states. It takes each act with each value of each part of the
// state, each way in with each second proof, and each act at each level and with each of its results. A
// whole walk takes each sign-in in each state, and each act in each state at each level; each undo
// of a change of the address, and the rest after such a change and in old sessions as in another walk.
func newWalk(mails, whole bool) *walk {
	w := &walk{states: reachable(mails), index: map[account]int{}}
	for i, a := range w.states {
		w.index[a] = i
	}
	numbers := map[string]int{}
	for _, a := range w.states {
		var list []edge
		for _, s := range a.steps() {
			o := a.do(s)
			e := edge{step: s, to: w.index[o.After]}
			for _, name := range goals(a, s, o, whole) {
				if _, known := numbers[name]; !known {
					numbers[name] = len(numbers)
				}
				e.goals = append(e.goals, numbers[name])
			}
			list = append(list, e)
		}
		w.edges = append(w.edges, list)
	}
	w.goals, w.left = slices.Repeat([]bool{true}, len(numbers)), len(numbers)
	return w
}

// goals names the goals that a step in a state reaches.
func goals(a account, s step, o outcome, whole bool) (list []string) {
	name := s.Act + named(s.Old, " in an old session", "") + named(a.Former.Pending, " after a change", "")
	if whole {
		switch {
		case s.Act == undoChange:
			return []string{fmt.Sprint(a.Former, ": ", s.Act)}
		case s.Old || a.Former.Pending:
		case s.Act == onlySignIn:
			return []string{fmt.Sprint(a, ": ", s)}
		default:
			return []string{fmt.Sprint(a, ": ", s.Act, " with ", o.Level)}
		}
	}
	for _, part := range a.parts() {
		list = append(list, fmt.Sprint(part, ": ", s.Act))
	}
	return append(list, s.Way+"/"+s.Second, o.Level+": "+s.Act, name+": "+o.Result)
}

// isUseful reports whether a step covers anything new.
func (w *walk) isUseful(e edge) bool {
	return slices.ContainsFunc(e.goals, func(goal int) bool { return w.goals[goal] })
}

func (w *walk) take(e edge) {
	for _, goal := range e.goals {
		if w.goals[goal] {
			w.goals[goal] = false
			w.left--
		}
	}
}

// next returns the shortest way to a useful step from a state, with that step; nil if there is none.
// Steps that do not change the state come first.
func (w *walk) next(from account) []edge {
	if w.left == 0 {
		return nil
	}
	type visited struct {
		at     int
		before int // its place in the queue
		by     edge
	}
	start := w.index[from]
	seen, queue := make([]bool, len(w.states)), []visited{{at: start, before: -1}}
	seen[start] = true
	for i := 0; i < len(queue); i++ {
		at := queue[i].at
		var useful *edge
		for _, e := range w.edges[at] {
			if w.isUseful(e) && (useful == nil || useful.to != at && e.to == at) {
				useful = &e
			}
			if !seen[e.to] {
				seen[e.to] = true
				queue = append(queue, visited{e.to, i, e})
			}
		}
		if useful == nil {
			continue
		}
		path := []edge{*useful}
		for ; queue[i].before >= 0; i = queue[i].before {
			path = append(path, queue[i].by)
		}
		slices.Reverse(path)
		return path
	}
	return nil
}

// Each step of a person, in each state of an account, has the outcome of the model: the level that it
// reaches, the values in the tokens, the changes, the sessions that it ends and the mail that tells of it.
//
// MF-13, MF-16: acr, amr and auth_time of the tokens are those of the sign-in, and claim no more.
func TestAccount_EveryStepDoesWhatTheModelSays(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		own := backend.Name != "sqlite" // one walk on each database; in make soak a whole one, and one of the other kind
		walks := []bool{own}
		if soaking() {
			walks = []bool{own, !own}
		}
		for _, mails := range walks {
			t.Run(named(mails, "mails", "no mails"), func(t *testing.T) {
				whole := soaking() && mails == own && !walked[backend.Name]
				walked[backend.Name] = walked[backend.Name] || whole
				p, w := open(t, backend, mails), newWalk(mails, whole)
				steps, persons := 0, 0
				for _, born := range births(mails) {
					for w.next(born) != nil {
						o, at := p.person(t, born), born
						persons++
						for path := w.next(at); path != nil && !t.Failed(); path = w.next(at) {
							for _, e := range path {
								w.take(e)
								at = o.try(t, at, e.step)
								steps++
								if t.Failed() {
									t.FailNow()
								}
							}
						}
					}
				}
				if w.left > 0 {
					t.Errorf("%d goals are left", w.left)
				}
				t.Logf("%d states, %d steps of %d persons", len(w.states), steps, persons)
			})
		}
	})
}
