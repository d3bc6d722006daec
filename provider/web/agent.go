package web

import (
	"strings"

	"signet/templates/words"
)

// Parts of User-Agent headers. The order matters: the header of Edge also contains
// "Chrome", that of Chrome "Safari", and that of Android "Linux".
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

type marker struct{ text, name string }

// DescribeAgent describes a User-Agent in words: browser and operating system. Versions
// are left out, because browsers no longer send true ones. A browser that is not in the
// list is "Unknown browser": after a wrong guess, people would take their own session for
// a stranger's.
func DescribeAgent(agent string) words.Sentence {
	browser, system := firstMatch(browsers, agent), firstMatch(systems, agent)
	if browser == "" && strings.Contains(agent, "Version/") && strings.Contains(agent, "Safari/") && system != "Android" {
		browser = "Safari"
	}
	switch {
	case browser == "" && system == "":
		return words.Say("account-browser.unknown")
	case browser == "":
		return words.Say("account-browser.unknown-on-system", "System", system)
	case system == "":
		return words.Say("account-browser.name", "Browser", browser)
	}
	return words.Say("account-browser.name-and-system", "Browser", browser, "System", system)
}

func firstMatch(markers []marker, agent string) string {
	for _, m := range markers {
		if strings.Contains(agent, m.text) {
			return m.name
		}
	}
	return ""
}
