package demo

import "fmt"

// demoBanner tells all that is needed for a first sign-in.
func (s *server) demoBanner(people people, secret string) {
	s.banner(s.settings.Issuer+Path, people, [][2]string{{"Issuer", s.settings.Issuer}, {"Client", ClientID}, {"Secret", secret}})
}

// appBanner tells what an app and the person who writes it need.
func (s *server) appBanner(people people) {
	s.banner(s.app+", once your app runs there", people, [][2]string{{"Issuer", s.settings.Issuer}, {"Audience", AppClient}})
}

// banner tells where to begin, as whom, and what an application is to be told.
func (s *server) banner(open string, people people, application [][2]string) {
	fmt.Fprintf(s.talk, `
  *** Signet in development mode: for trying out on this machine only ***

  Open       %s
%s  Or with    a pretend Google or GitHub: their buttons are on the page

  For administrators:
  Open       %s/admin
%s
  For an application of yours:
`, open, people.user.lines(), s.settings.Issuer, people.admin.lines())
	for _, fact := range application {
		fmt.Fprintf(s.talk, "  %-9s  %s\n", fact[0], fact[1])
	}
	fmt.Fprintf(s.talk, "\n  Everything is kept in %s; end with Ctrl-C.\n\n", s.settings.DataDir)
}

// lines tell how to sign in as a person, each below its heading.
func (p person) lines() string {
	text := fmt.Sprintf("  E-mail     %s\n", p.email)
	switch {
	case p.password == "":
		return text + fmt.Sprintf("  Password   (%s)\n", p.note)
	case p.note != "":
		return text + fmt.Sprintf("  Password   %s\n             (%s)\n", p.password, p.note)
	}
	return text + fmt.Sprintf("  Password   %s\n", p.password)
}
