package engine

// Fault is how a call of the database fails: nothing of it is done, it is undone
// before its commit, or it is committed and its answer lost.
type Fault struct {
	When FaultMoment
	Err  error // as the driver would give it; nil for no fault
}

// FaultMoment is when a Fault happens. A read only ever fails at once.
type FaultMoment int

// The moments of a fault.
const (
	AtOnce       FaultMoment = iota // nothing is done
	BeforeCommit                    // everything is done, and undone
	AfterCommit                     // everything is stored, and the caller gets an error
)

// Faults decides for each call, by the name of its use case, how it fails.
type Faults func(name string) Fault

// of asks once for each call, however often its use case runs.
func (f Faults) of(name string) Fault {
	if f == nil {
		return Fault{}
	}
	return f(name)
}
