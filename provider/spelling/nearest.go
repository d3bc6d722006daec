package spelling

import "strings"

// DidYouMean returns "; did you mean X?" with the candidate nearest to word, or "" if no
// candidate is near enough.
func DidYouMean(word string, candidates []string) string {
	if near := Nearest(word, candidates); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// Nearest returns the candidate that needs the fewest single-letter edits from word. It
// allows two edits, or a third of the length of word if that is more. If no candidate is
// that near, it returns a candidate that begins with word, or else "".
func Nearest(word string, candidates []string) string {
	best, fewest := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if best == "" && len(word) > 4 && strings.HasPrefix(c, word) {
			best = c
		}
		if d := edits(word, c); d < fewest {
			best, fewest = c, d
		}
	}
	return best
}

// edits counts the single-letter edits that turn a into b: insert, delete, replace, or swap
// with the next letter (optimal string alignment).
func edits(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
