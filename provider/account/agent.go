package account

import "strings"

// What browsers and systems call themselves, the more special before those whose
// name it carries too: Edge says Chrome, Chrome says Safari, Android says Linux.
var (
	browsers = []marker{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"},
		{"Vivaldi/", "Vivaldi"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"},
	}
	systems = []marker{
		{"iPhone", "iOS"}, {"iPad", "iPadOS"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
		{"Macintosh", "macOS"}, {"Linux", "Linux"},
	}
)

type marker struct{ mark, name string }

// describeAgent tells a User-Agent as a person would: the browser and the system,
// without versions, which browsers no longer say truly. What is in neither list is
// "Unknown browser": a guess would send people after a stranger who is themselves.
func describeAgent(agent string) string {
	browser, system := firstName(browsers, agent), firstName(systems, agent)
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

func firstName(signs []marker, agent string) string {
	for _, s := range signs {
		if strings.Contains(agent, s.mark) {
			return s.name
		}
	}
	return ""
}
