package words_test

import (
	"strings"
	"testing"

	"signet/templates/words"
)

func read(t *testing.T, file string) *words.Language {
	t.Helper()
	l, err := words.Read("en.toml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestText_PutsValuesIn(t *testing.T) {
	l := read(t, `
[a]
plain = "Done."
who = "{{.Name}} wants to see {{.Thing}}."
[a.days]
one = "1 day"
other = "{{.Count}} days"
`)
	for _, c := range []struct {
		sentence words.Sentence
		want     string
	}{
		{words.Sentence{}, ""},
		{words.Say("a.plain"), "Done."},
		{words.Say("a.who", "Name", "A & <b>", "Thing", "\u202ex"), "A & <b> wants to see x."},
		{words.Say("a.who", "Name", 3, "Thing", words.Say("a.days", "Count", 2)), "3 wants to see 2 days."},
		{words.Say("a.days", "Count", 1), "1 day"},
		{words.Say("a.days", "Count", 0), "0 days"},
		{words.Say("a.who", "Name", "{{.Thing}}", "Thing", "x"), "{{.Thing}} wants to see x."},
	} {
		if got, err := l.Text(c.sentence); err != nil || got != c.want {
			t.Errorf("%+v: got %q, %v, want %q", c.sentence, got, err, c.want)
		}
	}
}

func TestText_FailsWithoutSentenceOrValue(t *testing.T) {
	l := read(t, `a.who = "{{.Name}}"`)
	for _, s := range []words.Sentence{words.Say("a.other"), words.Say("a.who"), words.Say("a.who", "App", "x")} {
		if got, err := l.Text(s); err == nil {
			t.Errorf("%+v: got %q, want an error", s, got)
		}
	}
}

func TestHTML_EscapesEveryValue(t *testing.T) {
	l := read(t, `
[a]
plain = "{{.Name}} & {{.Thing}}"
bold = "<strong>{{.Name}}</strong> runs <code>{{.Thing}}</code>"
linked = "See <a>your {{.Name}} page</a>."
`)
	link := words.Link{ID: `x"y`, Href: `/a?b=1&c="`}
	for _, c := range []struct {
		sentence words.Sentence
		want     string
	}{
		{words.Say("a.plain", "Name", "<b>", "Thing", 3), "<bdi>&lt;b&gt;</bdi> &amp; 3"},
		{words.Say("a.bold", "Name", `"</strong>`, "Thing", "<script>"), "<strong><bdi>&#34;&lt;/strong&gt;</bdi></strong> runs <code>&lt;script&gt;</code>"},
		{words.Say("a.bold", "Name", words.Say("a.plain", "Name", "<b>", "Thing", "x"), "Thing", "y"), "<strong>&lt;b&gt; &amp; x</strong> runs <code>y</code>"},
		{words.Say("a.linked", "a", link, "Name", "<a>"), `See <a id="x&#34;y" href="/a?b=1&amp;c=&#34;">your <bdi>&lt;a&gt;</bdi> page</a>.`},
	} {
		if got, err := l.HTML(c.sentence); err != nil || got != c.want {
			t.Errorf("%+v: got %s, %v, want %s", c.sentence, got, err, c.want)
		}
	}
	if got, err := l.HTML(words.Say("a.linked", "Name", "x")); err == nil {
		t.Errorf("got %s for a sentence whose link is missing, want an error", got)
	}
}

func TestRead_RefusesOtherMarkup(t *testing.T) {
	for _, text := range []string{
		"<script>alert(1)</script>", "<strong>open", "closed</strong>", "<strong><code></strong></code>", "<a href='x'>y</a>", "<img>",
		"a < b", "a > b", "<a>x</a> and <a>y</a>", "<strong onclick=x>y</strong>", "<STRONG>x</STRONG>", "<!-- x -->",
		"{{.name}}", "{{ .Name }}", "{{if .Name}}x{{end}}", "{{.Name", "{{.A.B}}", "{{printf .Name}}", "<{{.Name}}>", "<a{{.Name}}>x</a>",
	} {
		if _, err := words.Read("en.toml", []byte(`a.b = "`+text+`"`)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

func TestRead_KnowsTheDirection(t *testing.T) {
	for tag, want := range map[string]string{"en": "ltr", "ar": "rtl", "he": "rtl", "ja": "ltr", "zh-Hans": "ltr", "pt-BR": "ltr", "fa": "rtl"} {
		l, err := words.Read(tag+".toml", []byte(`a.b = "x"`))
		if err != nil || l.Tag != tag || l.Direction != want {
			t.Errorf("%s: got %+v, %v, want %s", tag, l, err, want)
		}
	}
}

func TestSay_RefusesPairsThatAreNone(t *testing.T) {
	for _, pairs := range [][]any{{"Name"}, {1, "x"}, {"Name", 1.5}, {"A", 1, "B", 2, "C", 3, "D", 4, "E", 5, "F", 6}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v: no panic", pairs)
				}
			}()
			words.Say("a.b", pairs...)
		}()
	}
}

// The same sentence must always be one value, so that code can compare two of them.
func TestSay_IsComparable(t *testing.T) {
	if words.Say("retry.hours", "Count", 2) != words.Say("retry.hours", "Count", 2) || words.Say("retry.hours", "Count", 2) == words.Say("retry.hours", "Count", 3) {
		t.Error("sentences do not compare by key and values")
	}
}

func TestEnglish_IsTypeset(t *testing.T) {
	for key, entry := range words.Catalog(words.English()) {
		text := strings.Join(entry.Forms, "|")
		if strings.ContainsAny(text, "'\"") || strings.Contains(text, "...") || strings.Contains(text, "  ") || strings.TrimSpace(text) != text {
			t.Errorf("%s: %q: write ’ “ ” and …, and no spaces around", key, text)
		}
	}
}
