package account

import "strings"

// What browsers and systems call themselves, the more special before those whose
// name it carries too: Edge says Chrome, Chrome says Safari, Android says Linux.
var (
	browsers = []sign{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"},
		{"Vivaldi/", "Vivaldi"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"},
	}
	systems = []sign{
		{"iPhone", "iOS"}, {"iPad", "iPadOS"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
		{"Macintosh", "macOS"}, {"Linux", "Linux"},
	}
)

type sign struct{ mark, name string }

// agentInWords tells a User-Agent as a person would: the browser and the system,
// without versions, which browsers no longer say truly. What is in neither list is
// "Unknown browser": a guess would send people after a stranger who is themselves.
func agentInWords(agent string) string {
	browser, system := named(browsers, agent), named(systems, agent)
	if browser == "" && strings.Contains(agent, "Version/") && strings.Contains(agent, "Safari/") && system != "Android" {
		browser = "Safari"
	}
	if browser == "" {
		browser = "Unknown browser"
	}
	if system == "" {
		return browser
	}
	return browser + " on " + system
}

func named(signs []sign, agent string) string {
	for _, s := range signs {
		if strings.Contains(agent, s.mark) {
			return s.name
		}
	}
	return ""
}
