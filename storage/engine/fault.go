package engine

// Fault is a failure of a database call, for tests. Either nothing is done, or the call is
// undone before its commit, or it is committed and its answer is lost.
type Fault struct {
	When FaultMoment
	Err  error // as the driver would return it; nil: no fault
}

// FaultMoment is when a Fault happens. Reads always fail AtOnce.
type FaultMoment int

// The moments of a fault.
const (
	AtOnce       FaultMoment = iota // nothing is done
	BeforeCommit                    // everything is done and then undone
	AfterCommit                     // everything is committed, but the caller gets an error
)

// Faults chooses the fault of each call by the name of its use case.
type Faults func(name string) Fault

// of chooses the fault of one call. It is called once for each call, even if its use case runs
// several times.
func (f Faults) of(name string) Fault {
	if f == nil {
		return Fault{}
	}
	return f(name)
}
