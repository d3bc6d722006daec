package engine

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// checkNoLeak fails the test if the error contains three consecutive letters of a secret.
func checkNoLeak(t *testing.T, name string, err error, secret string) {
	t.Helper()
	if err == nil {
		return
	}
	for i := 0; i+3 <= len(secret); i++ {
		if piece := secret[i : i+3]; strings.Contains(err.Error(), piece) {
			t.Errorf("%s: the error contains %q of %q: %v", name, piece, secret, err)
		}
	}
}

// specials returns all ASCII characters except letters and digits, and one other character.
func specials() []string {
	list := []string{"ß", "\n", "\x00", "\x7f"}
	for r := ' '; r < 0x7f; r++ {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9') {
			list = append(list, string(r))
		}
	}
	return list
}

// A special character can end the secret early, so that its rest looks like another part of the
// URL. The driver quotes text that it cannot parse. Errors of CheckURL must contain none of it.
func TestCheckURL_ErrorContainsNoPartOfSecret(t *testing.T) {
	breaks := append(specials(), "%zz", "%00", "%40", "%2F", "%0a", "//", "&sslmode=", "@[", "@[::1%", "]:", "@:")
	for _, form := range []string{
		"postgres://signet:%s@db.example.com:5432/base", "postgres://%s:other@db.example.com/base", "postgres://signet:%s", "postgres://%s",
		"postgres://signet:%s@/base?host=/run", "postgresql://signet:%s@a:1,b:2/base?target_session_attrs=x", "postgres://signet:%s@a/base?sslmode=x",
		"postgres://signet:%s@a/base?sslrootcert=/nowhere", "postgres://signet:%s@a/base?service=x&servicefile=/nowhere",
		"postgres://a/base?password=%s", "postgres://a/base?password=%s&connect_timeout=x", "postgres://a/base?sslpassword=%s&port=x",
		"user=signet password=%s", "jdbc:postgresql://a/base?password=%s", "mysql://signet:%s@a/base", "%s",
	} {
		for _, one := range breaks {
			for _, two := range breaks {
				text := strings.Replace(form, "%s", "zqxw"+one+"vkjx"+two+"wzqj", 1)
				err := CheckURL(text)
				for _, piece := range []string{"zqxw", "vkjx", "wzqj"} {
					checkNoLeak(t, text, err, piece)
				}
			}
		}
	}
}

// Each special character is either accepted literally, or refused with an error that names the
// character and the text to write. Errors never contain the user name or the password.
func TestCheckURL_SpecialCharactersInSecrets(t *testing.T) {
	for _, c := range specials() {
		// Digits before the character look like a port, letters do not. The character may also
		// begin or end the password.
		for _, secret := range []string{"zqx" + c + "wvk", "123" + c + "456", c + "zqxw", "zqxw" + c, "zqx" + c + "1" + c + "wvk"} {
			for place, text := range map[string]string{
				"password":          "postgres://signet:" + secret + "@db.example.com/base",
				"password and port": "postgres://signet:" + secret + "@db.example.com:5433,[::1]:5434/base?sslmode=disable",
				"user":              "postgres://" + secret + ":other@db.example.com/base",
				"lone user":         "postgres://" + secret + "@db.example.com/base",
				"parameter":         "postgres://db.example.com/base?sslmode=disable&password=" + secret,
				"first parameter":   "postgres://db.example.com/base?password=" + secret + "&sslmode=disable",
			} {
				name := fmt.Sprintf("%s %q", place, secret)
				if secret == "123%456" || strings.TrimSpace(text) != text {
					continue // a valid escape by accident, and white space at the ends
				}
				err := CheckURL(text)
				if err != nil {
					checkNoLeak(t, name, err, secret)
					escape := strings.ToUpper(url.PathEscape(c))
					if escape == c {
						escape = fmt.Sprintf("%%%02X", c[0])
					}
					if !strings.Contains(err.Error(), escape) && !strings.Contains(err.Error(), "hexadecimal digits") {
						t.Errorf("%s: the error does not contain the text to write: %v", name, err)
					}
					continue
				}
				config, err := pgx.ParseConfig(text)
				if err != nil {
					t.Errorf("%s is accepted, but the driver refuses it: %v", name, err)
					continue
				}
				got, want := config.Password, secret
				if place == "user" || place == "lone user" {
					got = config.User
				}
				if c == ":" && (place == "user" || place == "lone user") {
					continue // the password begins there
				}
				if got != want || config.Host != "db.example.com" {
					t.Errorf("%s is parsed as %q at %s", name, got, config.Host)
				}
			}
			// Every escaped character is accepted.
			text := "postgres://" + escaped(secret) + ":" + escaped(secret) + "@db.example.com/" + escaped(secret) + "?application_name=" + escaped(secret)
			config, err := connectionConfig(text)
			if strings.Contains(secret, "\x00") {
				if err == nil {
					t.Errorf("NUL is accepted")
				}
				continue
			}
			if err != nil || config.Password != secret || config.User != secret || config.Database != secret || config.RuntimeParams["application_name"] != secret {
				t.Errorf("%q escaped: %v", secret, err)
			}
		}
	}
}

// Special characters in the other parts do not change the user name or the password.
func TestCheckURL_SpecialCharactersInOtherParts(t *testing.T) {
	for _, c := range specials() {
		piece := "qwk" + c + "zvx"
		for place, text := range map[string]string{
			"host":      "postgres://signet:jgjg@" + piece + "/base",
			"port":      "postgres://signet:jgjg@db.example.com:54" + c + "32/base",
			"database":  "postgres://signet:jgjg@db.example.com/" + piece,
			"parameter": "postgres://signet:jgjg@db.example.com/base?application_name=" + piece,
			"name":      "postgres://signet:jgjg@db.example.com/base?application" + c + "name=x",
		} {
			err := CheckURL(text)
			checkNoLeak(t, place+" "+c, err, "jgjg")
			if err != nil {
				continue
			}
			config, err := pgx.ParseConfig(text)
			if err != nil {
				t.Errorf("%s %q is accepted, but the driver refuses it: %v", place, c, err)
				continue
			}
			if config.User != "signet" || config.Password != "jgjg" {
				t.Errorf("%s %q: parsed as %q, %q", place, c, config.User, config.Password)
			}
		}
	}
}

func TestCheckURL_AcceptsValidURLs(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://":                                                        "", // all values from PGHOST and similar variables
		"postgres://db.example.com":                                          "db.example.com",
		"postgresql://db.example.com/base":                                   "db.example.com",
		"postgres://signet@db/base":                                          "db",
		"postgres://signet:a:b@db:5433/x":                                    "db",
		"postgres://db_1.internal:5433/a/b":                                  "db_1.internal",
		"postgres://[::1]:5433/base":                                         "::1",
		"postgres://a:5432,b:5433/base?target_session_attrs=read-write":      "a",
		"postgres://a,b,[fd00::1]:5434/base?target_session_attrs=primary":    "a",
		"postgres:///base?host=/var/run/postgresql":                          "/var/run/postgresql",
		"postgres://signet@/base?host=%2Fvar%2Frun%2Fpostgresql&port=5433":   "/var/run/postgresql",
		"postgres://%2Fvar%2Frun%2Fpostgresql/base":                          "/var/run/postgresql",
		"postgres://db/base?sslmode=verify-full&sslrootcert=system":          "db",
		"postgres://db/base?user=me@tenant&password=secret":                  "db",
		"postgres://db/base?default_query_exec_mode=cache_describe":          "db",
		"postgres://db/base?statement_timeout=5s&my.own=1&connect_timeout=3": "db",
		"postgres://db/base?options=-c%20search_path%3Dsignet":               "db",
	} {
		config, err := connectionConfig(text)
		if err != nil || want != "" && config.Host != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestCheckURL_ErrorSaysWhatToWrite(t *testing.T) {
	for text, want := range map[string]string{
		"host=/var/run/postgresql dbname=signet":          "keywords and values",
		"dbname=signet password=hunter2":                  "keywords and values",
		"user = signet":                                   "keywords and values",
		"sqlite:///var/lib/signet.db":                     "leave database empty",
		"sqlite3:signet.db":                               "leave database empty",
		"file:signet.db?mode=ro":                          "leave database empty",
		"/var/lib/signet/signet.db":                       "leave database empty",
		"./signet.db":                                     "leave database empty",
		"signet.db":                                       "leave database empty",
		"mysql://root:hunter2@db/signet":                  "is not a postgres:// URL",
		"http://db":                                       "is not a postgres:// URL",
		"db.example.com/signet":                           "is not a postgres:// URL",
		"db.example.com:5432":                             "is not a postgres:// URL",
		"POSTGRES://db/signet":                            "in lower case",
		"jdbc:postgresql://db/signet":                     "in the form of another program",
		"postgresql+asyncpg://db/signet":                  "in the form of another program",
		"postgres:/db/signet":                             "in the form of another program",
		`"postgres://db/signet"`:                          "quotes",
		`'postgres://db/signet'`:                          "quotes",
		" postgres://db/signet":                           "white space",
		"postgres://db/signet\n":                          "white space",
		"postgres://u:hunter2/signet":                     "port that is not a number",
		"postgres://u:p@db:99999/signet":                  "between 1 and 65535",
		"postgres://u:p@::1/signet":                       "[ ]",
		"postgres://u:p@[::1/signet":                      "[ ]",
		"postgres://db/base?sslmode=verify_full":          "sslmode",
		"postgres://db/base?sslmod=disable":               "did you mean sslmode?",
		"postgres://db/base?keepalives=1":                 "not supported",
		"postgres://db/base?pool_max_conns=5":             "not supported",
		"postgres://db/base?sslrootcert=/no/such/ca.pem":  "/no/such/ca.pem",
		"postgres://db/base?target_session_attrs=writer":  "target_session_attrs",
		"postgres://db/base?connect_timeout=soon":         "connect_timeout",
		"postgres://db/base?default_query_exec_mode=fast": "default_query_exec_mode",
		"postgres://db/base?password=hunter2&x=y":         "write %26",
		"postgres://a:1,b:2,c:3/base?port=1,2":            "",
	} {
		err := CheckURL(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error contains the password: %v", text, err)
		}
	}
}

func TestCheckURL_ParametersMatchDriver(t *testing.T) {
	for _, name := range knownParameters {
		if slices.Contains(libpqParameters, name) {
			t.Errorf("%s is both known and refused", name)
		}
	}
	for _, name := range libpqParameters {
		config, err := pgx.ParseConfig("postgres://db/base?" + name + "=1")
		if err == nil && config.RuntimeParams[name] == "" {
			t.Errorf("the driver now supports %s: remove it from libpqParameters", name)
		}
	}
}
