package templates_test

import (
	"reflect"
	"strings"
	"testing"

	"signet/templates"
)

// Every page that shows an application warns once if the application registered itself and
// nobody has approved it. The warning comes before everything that the user can press.
func TestPages_EveryPageWarnsOfUnapprovedApplication(t *testing.T) {
	pages, _ := newPages(t)
	for sample, page := range samples() {
		of := reflect.New(reflect.TypeOf(page)).Elem()
		of.Set(reflect.ValueOf(page))
		client := of.FieldByName("Client")
		if !client.IsValid() || client.Type() != reflect.TypeOf(templates.Client{}) {
			continue
		}
		for unverified, want := range map[bool]int{true: 1, false: 0} {
			client.FieldByName("Unverified").SetBool(unverified)
			text := string(render(t, pages, of.Interface().(templates.Page)))
			if got := strings.Count(text, `id="unverified"`); got != want {
				t.Errorf("%s: %d warnings, want %d", sample, got, want)
			}
			warning := strings.Index(text, `id="unverified"`)
			for _, pressed := range []string{"<form", "<button", `class="button"`} {
				if at := strings.Index(text, pressed); warning >= 0 && at >= 0 && at < warning {
					t.Errorf("%s: %s comes before the warning", sample, pressed)
				}
			}
		}
	}
}
