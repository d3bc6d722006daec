package demo

import "fmt"

// demoBanner prints the text that a developer needs for a first sign-in.
func (s *server) demoBanner(people people, secret string) {
	s.banner(s.settings.Issuer+Path, people, [][2]string{{"Issuer", s.settings.Issuer}, {"Client", ClientID}, {"Secret", secret}})
}

// appBanner prints the text that an app and its developer need.
func (s *server) appBanner(people people) {
	s.banner(s.app+", once your app runs there", people, [][2]string{{"Issuer", s.settings.Issuer}, {"Audience", AppClient}})
}

// banner prints the address to open, the people to sign in as, and the settings for an
// application.
func (s *server) banner(open string, people people, application [][2]string) {
	fmt.Fprintf(s.talk, `
  *** Signet in development mode: for trying out on this machine only ***

  Open       %s
%s  Or with    a pretend Google or GitHub: their buttons are on the page
  Mails      %s

  For administrators:
  Open       %s/admin
%s
  For your own application:
`, open, people.user.lines(), s.settings.Issuer+MailPath, s.settings.Issuer, people.admin.lines())
	for _, fact := range application {
		fmt.Fprintf(s.talk, "  %-9s  %s\n", fact[0], fact[1])
	}
	fmt.Fprintf(s.talk, "\n  All data is in %s. Press Ctrl-C to stop.\n\n", s.settings.DataDir)
}

// lines returns the lines about one person: how to sign in, and the note.
func (p person) lines() string {
	text := fmt.Sprintf("  Email      %s\n", p.email)
	switch {
	case p.password == "":
		return text + fmt.Sprintf("  Password   (%s)\n", p.note)
	case p.note != "":
		return text + fmt.Sprintf("  Password   %s\n             (%s)\n", p.password, p.note)
	}
	return text + fmt.Sprintf("  Password   %s\n", p.password)
}
