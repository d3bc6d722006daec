package user_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/cli"
	"signet/cmd/signet/config"
	"signet/cmd/signet/exit"
	"signet/cmd/signet/node"
	"signet/cmd/signet/program"
	"signet/cmd/signet/signettest"
	"signet/cmd/signet/user"
	"signet/provider/directory"
	"signet/storage"
)

// attacked is a database in which an attacker has attached identities to the account
// bob@example.com, whose address is unproven.
type attacked struct {
	db  *storage.DB
	env []string
	bob storage.User
}

func startAttacked(t *testing.T) attacked {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	db, err := node.OpenDatabase(t.Context(), config.Config{DataDir: dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	a := attacked{db: db, env: []string{
		"SIGNET_DATA_DIR=" + dir, "SIGNET_GITHUB_CLIENT_ID=x", "SIGNET_GITHUB_CLIENT_SECRET=y", "SIGNET_GOOGLE_CLIENT_ID=x", "SIGNET_GOOGLE_CLIENT_SECRET=y",
	}}
	if a.bob, err = db.CreateUser(t.Context(), storage.User{Email: "bob@example.com"}, "", storage.By{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"1", "2"} {
		a.signIn(t, "github", subject)
	}
	return a
}

// signIn signs bob in through a connector, which links the identity.
func (a attacked) signIn(t *testing.T, connector, subject string) storage.Session {
	t.Helper()
	id := storage.NewID("att_")
	session, err := a.db.SignInThrough(t.Context(), storage.ConnectorSignIn{
		Identity: storage.Identity{
			Connector: connector, Issuer: "https://" + connector + ".example", Subject: subject, UserID: a.bob.ID, Name: "Mallory\x1b[2J",
		},
		AttemptID: id, Until: storage.At(time.Now().Add(time.Hour)),
		SignIn: storage.SignIn{HandleHash: id, AMR: []string{"fed"}, IdleFor: time.Hour, AbsoluteFor: time.Hour},
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// signet runs a command and checks its exit code.
func (a attacked) signet(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	if got := program.Run(t.Context(), signettest.Surroundings(a.env, "correct horse battery staple", &out, &talk), args); got != want {
		t.Fatalf("%q: exit code %d, want %d\n%s%s", args, got, want, &out, &talk)
	}
	if strings.Contains(out.String()+talk.String(), "\x1b") {
		t.Errorf("%q prints control characters of an upstream", args)
	}
	return out.String(), talk.String()
}

func (a attacked) identities(t *testing.T) (names []string) {
	t.Helper()
	list, err := a.db.IdentitiesOf(t.Context(), a.bob.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		names = append(names, user.IdentityName(i))
	}
	return names
}

func wantWords(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q is missing in:\n%s", word, text)
		}
	}
}

func TestUserIdentity_ShownAndRemoved(t *testing.T) {
	a := startAttacked(t)
	session := a.signIn(t, "google", "9")
	shown, _ := a.signet(t, exit.OK, "user", "show", "bob@example.com")
	wantWords(t, shown, "github:1", "github:2", "google:9", "at https://github.example", "last used", "sessions")
	document, _ := a.signet(t, exit.OK, "user", "show", "bob@example.com", "--json")
	var user struct {
		Email      string
		Identities []directory.IdentityDocument
	}
	if err := json.Unmarshal([]byte(document), &user); err != nil || user.Email != "bob@example.com" || len(user.Identities) != 3 ||
		user.Identities[0].Issuer != "https://github.example" || user.Identities[0].Since.IsZero() || user.Identities[0].LastUsed == nil {
		t.Errorf("%v in %s", err, document)
	}

	_, why := a.signet(t, exit.Usage, "user", "identity", "remove", "bob@example.com", "github")
	wantWords(t, why, "several", "github:1 at https://github.example", "github:2")
	a.signet(t, exit.NotFound, "user", "identity", "remove", "bob@example.com", "github:3")
	a.signet(t, exit.NotFound, "user", "identity", "remove", "bob@example.com", "github:1", "--issuer", "https://elsewhere.example")
	document, output := a.signet(t, exit.OK, "user", "identity", "remove", "bob@example.com", "google", "--json")
	wantWords(t, document, `"connector": "google"`, `"subject": "9"`)
	wantWords(t, output, "google:9 is removed from bob@example.com")
	sessions, err := a.db.SessionsOf(t.Context(), a.bob.ID, time.Now())
	if err != nil || len(sessions) != 2 || sessions[0].ID == session.ID || sessions[1].ID == session.ID {
		t.Errorf("%d sessions, %v; want all but that of google", len(sessions), err)
	}
	a.signet(t, exit.OK, "user", "identity", "remove", a.bob.ID, "github:2", "--issuer", "https://github.example")

	// The last way to sign in is removed only with --yes.
	_, why = a.signet(t, exit.Denied, "user", "identity", "remove", "bob@example.com", "github")
	wantWords(t, why, "last_way_in", "bob@example.com has no other way to sign in", "set-password", "--yes")
	a.signet(t, exit.OK, "user", "identity", "remove", "bob@example.com", "github", "--yes")
	if left := a.identities(t); len(left) != 0 {
		t.Errorf("got identities %q", left)
	}
	events, err := a.db.Events(t.Context(), storage.EventFilter{Type: storage.IdentityUnlinked, UserID: a.bob.ID}, 10)
	if err != nil || len(events) != 3 || events[0].From.Actor != "cli" {
		t.Errorf("events %+v, %v", events, err)
	}
}

// Each command that gives an account more rights stops if its address is unproven and something is
// attached to it. It lists the attached objects, also as JSON, and continues with --evict or
// --keep.
func TestUser_CommandsStopAtAnUnprovenAddress(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("correct horse battery staple"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"user", "set-password", "bob@example.com", "--password-file", password},
		{"user", "admin", "bob@example.com"},
		{"user", "update", "bob@example.com", "--role", "ops"},
		{"user", "update", "bob@example.com", "--group", "ops", "--name", "Bob"},
		{"user", "update", "bob@example.com", "--email", "robert@example.com", "--role", "ops"},
	} {
		t.Run(strings.Join(command[1:2], " "), func(t *testing.T) {
			a := startAttacked(t)
			_, why := a.signet(t, exit.Denied, command...)
			wantWords(t, why, "attached to the account bob@example.com", "github:1", "sessions: 2", "address_unproven", "--evict", "--keep")
			document, _ := a.signet(t, exit.Denied, append(command, "--json")...)
			var refused struct {
				Error    string
				Attached user.DescribedAttached
			}
			if err := json.Unmarshal([]byte(document), &refused); err != nil || refused.Error != "address_unproven" || len(refused.Attached.Identities) != 2 {
				t.Errorf("%v in %s", err, document)
			}
			if now, err := a.db.User(t.Context(), a.bob.ID); err != nil || fmt.Sprint(now) != fmt.Sprint(a.bob) {
				t.Errorf("the refusal changed %+v to %+v, %v", a.bob, now, err)
			}
			a.signet(t, exit.Usage, append(command, "--evict", "--keep")...)
			a.signet(t, exit.OK, append(command, "--keep")...)
			if len(a.identities(t)) != 2 {
				t.Error("--keep deleted an identity")
			}
			b := startAttacked(t)
			document, output := b.signet(t, exit.OK, append(command, "--evict", "--json")...)
			wantWords(t, output, "deleted, because it was attached while the address", "github:2")
			wantWords(t, document, `"evicted": {`, `"subject": "2"`)
			if left := b.identities(t); len(left) != 0 {
				t.Errorf("--evict left %q", left)
			}
		})
	}
}

// --email-verified is a proof of the address.
func TestUserUpdate_VerifiedEvictsOrKeeps(t *testing.T) {
	for _, change := range [][]string{{"--email-verified"}, {"--email-verified", "--role", "ops"}, {"--email-verified", "--email", "robert@example.com"}} {
		for flag, left := range map[string]int{"": 0, "--evict": 0, "--keep": 2} {
			a := startAttacked(t)
			_, output := a.signet(t, exit.OK, cli.DropEmpty(append([]string{"user", "update", a.bob.ID, flag}, change...))...)
			if got := len(a.identities(t)); got != left {
				t.Errorf("%q %s: %d identities left, want %d", change, flag, got, left)
			}
			if evicted := strings.Contains(output, "deleted, because"); evicted == (left > 0) {
				t.Errorf("%q %s printed %q", change, flag, output)
			}
			if now, err := a.db.User(t.Context(), a.bob.ID); err != nil || !now.EmailVerified {
				t.Errorf("%q %s: verified: %v, %v", change, flag, now.EmailVerified, err)
			}
		}
	}
}

func TestUserIdentity_Completed(t *testing.T) {
	a := startAttacked(t)
	offered, _ := a.signet(t, exit.OK, "__complete", "user", "identity", "remove", "bob@example.com", "gi")
	wantWords(t, offered, "github:1", "github:2")
	if offered, _ = a.signet(t, exit.OK, "__complete", "user", "identity", "remove", "nobody@example.com", ""); strings.Contains(offered, "github") {
		t.Errorf("an unknown user is completed with %q", offered)
	}
}
