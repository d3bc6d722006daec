package templates

// Continue is the answer to a form: 200 with Refresh and a link that works
// without waiting, since Chromium applies form-action to redirects.
type Continue struct {
	Common
	URL string // a path of ours; Write refuses anything else
}

func (Continue) page() string { return "continue.html" }
