package templates

import (
	"net/url"

	"signet/templates/words"
)

// Common is the frame that every page shows around its content.
type Common struct {
	Base   string // the issuer's path, "" or "/auth": links and form actions begin with it
	Client Client // the application that the person signs in to; zero: none
	Issuer string // host name, shown if there is no client
}

// Client describes an application to the person. The application chooses its own name, so
// the page shortens and cleans the name and always shows Host beside it.
type Client struct {
	Name      string
	Host      string // host of its redirect URI, or of the client_uri that an administrator has approved
	HomeURL   string // shown only if https
	PolicyURL string // shown only if https
	TermsURL  string // shown only if https
	LogoPath  string // path of its logo below the issuer; "": none

	Unverified bool // it registered itself, and no administrator has approved it
}

// HostOf returns the target of a redirect URI to show beside the name of a client: its host,
// or the scheme of an app on this device.
func HostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	if u.Host == "" {
		return u.Scheme
	}
	return u.Host
}

// Person is a signed-in user on a page.
type Person struct {
	Name  string // "": the page shows only the email address
	Email string // "" if the user has none
}

// Label names the person in a sentence: by the email address, or else by the name.
func (p Person) Label() words.Sentence {
	for _, text := range []string{line(p.Email), name(p.Name)} {
		if text != "" {
			return words.Say("person.named", "Name", text)
		}
	}
	return words.Say("person.nameless")
}

// application names the application that the person signs in to, for titles.
func application(c Common) string {
	if name := clientName(c.Client); name != "" {
		return name
	}
	if host := line(c.Issuer); host != "" {
		return host
	}
	return "Signet"
}

// clientName returns the host if the name is empty or has only hidden characters.
func clientName(c Client) string {
	if n := name(c.Name); n != "" {
		return n
	}
	return line(c.Host)
}

// logo returns the path of the client's logo; "" if there is none.
func logo(c Common) string {
	if c.Client.LogoPath == "" {
		return ""
	}
	return ownPath(c.Base + c.Client.LogoPath)
}

// clientHost is the host to show beside the client's name; "" if the name is the host.
func clientHost(c Client) string {
	if name(c.Name) == "" {
		return ""
	}
	return line(c.Host)
}

// toContinue tells which application the person signs in for; zero if there is none.
func toContinue(c Client) words.Sentence {
	switch app, host := clientName(c), clientHost(c); {
	case app == "":
		return words.Sentence{}
	case host == "":
		return words.Say("sign-in.to-continue", "App", app)
	default:
		return words.Say("sign-in.to-continue-at", "App", app, "Host", host)
	}
}

// wantsTo begins the list of things that the application wants.
func wantsTo(c Client) words.Sentence {
	if host := clientHost(c); host != "" {
		return words.Say("consent.wants-at", "App", clientName(c), "Host", host)
	}
	return words.Say("consent.wants", "App", clientName(c))
}

// asksToSignOut tells which application asks to sign the person out; zero if none does.
func asksToSignOut(c Client) words.Sentence {
	switch app, host := clientName(c), clientHost(c); {
	case app == "":
		return words.Sentence{}
	case host == "":
		return words.Say("sign-out.asks", "App", app)
	default:
		return words.Say("sign-out.asks-at", "App", app, "Host", host)
	}
}

// initial returns the letter that replaces a picture of the person.
func initial(p Person) string {
	for _, text := range []string{name(p.Name), line(p.Email)} {
		for _, r := range text {
			return upper(r)
		}
	}
	return ""
}
