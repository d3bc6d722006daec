package templates

// DeviceEntry is the page on which the user enters the code that a device shows (RFC 8628,
// section 3.3).
type DeviceEntry struct {
	Common
	Ticket string
	User   Person
	Code   string // as typed, or from the link of the device
	Error  *FormError
}

func (DeviceEntry) page() string { return "deviceentry.html" }

// DeviceConsent asks whether a device may sign in as the user. Client is its application.
type DeviceConsent struct {
	Common
	Request string
	Ticket  string
	User    Person
	Code    string // WDJB-MJHT
	Address string // from which the device asked
	Asked   Moment
	Wants   []Want
	Switch  string // target of the link "not you?"
}

func (DeviceConsent) page() string { return "deviceconsent.html" }

// DeviceAnswered is the page after the answer.
type DeviceAnswered struct {
	Common
	Allowed bool
}

func (DeviceAnswered) page() string { return "deviceanswered.html" }
