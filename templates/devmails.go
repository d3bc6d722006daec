package templates

// DevMails shows the mails that `signet dev` has caught.
type DevMails struct {
	Common
	Mails []DevMail // the newest first
}

func (DevMails) page() string { return "devmails.html" }

// DevMail is one mail.
type DevMail struct {
	To      string
	Subject string
	Text    string // several lines
	At      Moment
	Links   []string // paths of ours that the text leads to
}
