package templates

// SignOut asks whether to sign out.
type SignOut struct {
	Common
	Request string // opaque hidden field "logout": what was asked for, sealed
	Ticket  string
	User    Person
}

func (SignOut) page() string { return "signout.html" }

// SignedOut says that it is done, and which applications know.
type SignedOut struct {
	Common
	Told []ToldClient

	// Both are shown only if they are http, https or a path of ours; "" for none.
	ContinueURL string // of the application that the person comes from
	AgainURL    string // begins another sign-in
	AppName     string
}

func (SignedOut) page() string { return "signedout.html" }

// ToldClient is an application that is told that the session ended.
type ToldClient struct {
	Name  string
	State ToldState
}

// ToldState is how far it has been told.
type ToldState string

// How far an application has been told.
const (
	Told         ToldState = "told"          // it has confirmed
	BeingTold    ToldState = "being-told"    // it has not answered yet
	NotAnswering ToldState = "not-answering" // it is told again later
	NotTold      ToldState = "not-told"      // it will not be
)

// Knowing counts the applications that have been told.
func (s SignedOut) Knowing() (n int) {
	for _, client := range s.Told {
		if client.State == Told {
			n++
		}
	}
	return n
}
