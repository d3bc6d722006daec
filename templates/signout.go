package templates

// SignOut asks whether to sign out.
type SignOut struct {
	Common
	Request string // opaque hidden field "logout": the sealed sign-out request
	Ticket  string
	User    Person
}

func (SignOut) page() string { return "signout.html" }

// SignedOut confirms the sign-out and lists the applications that were notified.
type SignedOut struct {
	Common
	Ended bool // a session has just ended; otherwise the browser had none
	Told  []ToldClient

	Frames []string // addresses of applications that the page opens in hidden iframes; only http and https

	// Both are shown only if they are http, https or a path of ours; "" for none.
	ContinueURL string // address of the application that the person comes from
	AgainURL    string // begins another sign-in
	AppName     string
}

func (SignedOut) page() string { return "signedout.html" }

// Leaving opens addresses of applications in hidden iframes, which sign the person out there (OIDC
// Front-Channel Logout), and then goes on to the application that the person comes from.
type Leaving struct {
	Common
	Frames  []string
	URL     string // http or https; Write refuses anything else
	AppName string
}

func (Leaving) page() string { return "leaving.html" }

// ToldClient is an application that gets a sign-out notice.
type ToldClient struct {
	Name  string
	State ToldState
}

// ToldState is the state of the notice to an application.
type ToldState string

// The states of a notice.
const (
	Told         ToldState = "told"          // the application has confirmed it
	BeingTold    ToldState = "being-told"    // the application has not answered yet
	NotAnswering ToldState = "not-answering" // it is sent again later
	NotTold      ToldState = "not-told"      // no notice will be sent
)

// Knowing counts the applications that have confirmed the notice.
func (s SignedOut) Knowing() (n int) {
	for _, client := range s.Told {
		if client.State == Told {
			n++
		}
	}
	return n
}
