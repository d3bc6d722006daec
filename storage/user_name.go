package storage

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"

	"signet/storage/engine"
)

// ErrUsernameTaken: another user has this preferred_username, or one that looks like it.
var ErrUsernameTaken = engine.NewVerdict("user name taken")

// errUsername is the reason why a preferred_username cannot be compared.
var errUsername = errors.New("preferred_username has no letter or digit")

// FoldUsername returns the form in which a preferred_username is unique. Names that people
// cannot tell apart, or hardly, have the same form. It returns "" for a name without any letter
// or digit.
//
// These count as equal: compatibility forms (NFKD), upper and lower case, letters and digits of
// other scripts that look like Latin ones (after the skeletons of UTS #39, with a table of our
// own), 0 and o, 1, l and I, m and rn, w and vv, all hyphens. Spaces and invisible characters
// are ignored. Accents are not ignored.
func FoldUsername(name string) string {
	text, latin := name, true
	if !isASCII(name) {
		text = norm.NFKD.String(lunate.Replace(name))
		if latin = strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Latin, r) }); latin {
			text = twofaced.Replace(text)
		}
		text = norm.NFKD.String(cases.Fold().String(text))
	} else {
		text = strings.ToLower(text)
	}
	var folded strings.Builder
	substance := false
	for _, r := range text {
		if isInvisible(r) {
			continue
		}
		substance = substance || unicode.IsLetter(r) || unicode.IsDigit(r)
		folded.WriteString(lookalike(r, latin))
	}
	if !substance {
		return ""
	}
	return folded.String()
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// lunate replaces the lunate sigma, which looks like a c. NFKD would make it the other sigma.
var lunate = strings.NewReplacer("ϲ", "c", "Ϲ", "c")

// twofaced replaces two Greek letters: the capital looks like one Latin letter, and the small
// letter like another. In a name with Latin letters they count as the letter that they look
// like, so they are replaced before case folding. In a Greek name both cases stay equal.
var twofaced = strings.NewReplacer("Ν", "n", "Υ", "y")

// isInvisible reports whether a character is not visible in a name: spaces, controls, joiners,
// variation selectors, fillers, the empty Braille pattern, and the dot of an i.
func isInvisible(r rune) bool {
	return unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) || r == '\u0307' || r == '\u2800'
}

// lookalike returns the form in which a character is compared, in a name with Latin letters or
// without.
func lookalike(r rune, latin bool) string {
	if unicode.Is(unicode.Pd, r) || r == '\u2212' {
		return "-"
	}
	letter, known := lookalikes()[r]
	switch {
	case r == 'ν' && latin: // see twofaced
		letter = 'v'
	case r == 'υ' && latin:
		letter = 'u'
	case !known:
		letter = r
	}
	switch letter {
	case '0':
		return "o"
	case '1', 'i', '|':
		return "l"
	case 'm':
		return "rn"
	case 'w':
		return "vv"
	}
	return string(letter)
}

// lookalikes maps characters of other scripts, and Latin letters that look like simpler ones, to
// the letter that they look like in one of their cases. All are case-folded.
var lookalikes = sync.OnceValue(func() map[rune]rune {
	table := map[rune]rune{}
	for _, row := range []struct{ script, like string }{
		// Cyrillic
		{"авгекмнопрстухѕіјһԁԛԝгьѵүӏԍҽѡз", "abrekmhonpctyxsijhdqwrbvylgew3"},
		// Greek, and Coptic after it
		{"αβγεζηικμνορστυχωϳϝ", "abyezhikmnopotyxwjf"},
		{"ⲁⲃⲅⲉⲏⲓⲕⲙⲛⲟⲣⲥⲧⲭⲩ", "abrehikmnopctxy"},
		// Armenian
		{"աոսօհցզքյլտգճ", "wnuohgqpjlsqx"},
		// Latin: small capitals, letters without their dot, letters of phonetics
		{"ıȷɪɩɑɡɢʟʏʀɴʙʜᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜱꜰʋɯɐǀ", "ijiiagglyrnbhacdejkmoptuvwzsfuwal"},
		{"ꬲ℮ƽᴦꭇꭎꞟɣꬵ×∨", "eesrruuyfxv"},
		// Cherokee, whose lower case is its capitals drawn smaller
		{"ᎪᏴᏟᎠᎬᏀᎻᎫᏦᏞᎷᏢᏚᎢᏙᎳᏃᎩᎡᏒᏎᎥ", "abcdeghjklmpstvwzyrr4i"},
		// Lisu, which has no case
		{"ꓮꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ", "abcdefghijklmnoprstuvwxyz"},
		// Letters that are a circle or a stroke, in scripts with few others
		{"סഠဝⵔ𐊒ყⵏᛁ׀∣", "oooooyllll"},
		// Letters that look like a digit, and digits of other scripts that look like something else
		{"ӡʒ", "33"},
		{"०০੦૦௦౦೦൦๐໐၀٥۵١۱٠۰", "oooooooooooooll.."},
		// Signs
		{"⁃˗➖ⲻ⁄∕∶։ː", "----//:::"},
	} {
		from, to := []rune(row.script), []rune(row.like)
		if len(from) != len(to) {
			panic("storage: look-alikes of unequal length: " + row.script)
		}
		for i, r := range from {
			table[r], table[unicode.ToLower(r)] = to[i], to[i]
		}
	}
	return table
})

// UsernameUnique reports whether no other user has the user's preferred_username, so that
// applications may identify the user by it. A name that was stored before names were unique, or
// by the previous release, may belong to several users.
func (u User) UsernameUnique() bool {
	return u.UsernameFolded != "" && u.UsernameFolded == FoldUsername(u.PreferredUsername)
}

// setFoldedUsername sets UsernameFolded of a user before it is stored. before is the stored
// user, or the zero User for a new one. If the name is unchanged and belongs to another user, it
// stays and is not unique.
//
// ErrUsernameTaken: the name is new and belongs to another user.
func setFoldedUsername(tx *gorm.DB, want *User, before User) error {
	want.UsernameFolded = ""
	if want.PreferredUsername == "" {
		return nil
	}
	folded := FoldUsername(want.PreferredUsername)
	if folded == "" && want.PreferredUsername == before.PreferredUsername {
		return nil
	}
	if folded == "" {
		return fmt.Errorf("%w: %w", errCheckFailed, errUsername)
	}
	var holders int64
	err := tx.Raw(`SELECT COUNT(*) FROM users WHERE username_folded = ? AND username_folded <> '' AND id <> ?`, folded, want.ID).Scan(&holders).Error
	switch {
	case err != nil:
		return err
	case holders == 0:
		want.UsernameFolded = folded
	case want.PreferredUsername != before.PreferredUsername:
		return ErrUsernameTaken
	}
	return nil
}

// asUsernameTaken turns the error of the statement that stores a user into ErrUsernameTaken if
// another user took the name after setFoldedUsername checked it. It returns other errors
// unchanged.
func asUsernameTaken(err error) error {
	if engine.IsUnique(err) && (strings.Contains(err.Error(), "users_username") || strings.Contains(err.Error(), "users.username_folded")) {
		return ErrUsernameTaken
	}
	return err
}

// foldUsernames sets UsernameFolded of users from before names were unique. If several names
// look the same, the oldest user gets the name.
func foldUsernames(tx *gorm.DB) error {
	held := map[string]bool{}
	after := User{}
	for {
		var page []User
		err := tx.Select("id", "preferred_username", "created_at").Where("preferred_username <> '' AND (created_at > ? OR created_at = ? AND id > ?)",
			after.CreatedAt, after.CreatedAt, after.ID).Order("created_at, id").Limit(500).Find(&page).Error
		if err != nil {
			return err
		}
		for _, u := range page {
			folded := FoldUsername(u.PreferredUsername)
			if folded == "" || held[folded] {
				continue
			}
			held[folded] = true
			if err := tx.Exec(`UPDATE users SET username_folded = ? WHERE id = ?`, folded, u.ID).Error; err != nil {
				return err
			}
		}
		if len(page) < 500 {
			return nil
		}
		after = page[len(page)-1]
	}
}
