// Command language keeps the project's comments and docs in plain English. It counts the
// relative pronouns that stand for a subject which the sentence does not name, listed at
// unnamed, and fails if a folder has too many of them. It also fails if the name of a test
// begins with the number of a requirement: the number belongs in a comment, with one line
// that explains it. And it fails for the spellings listed at misspelt.
//
//	go run .ci/language.go            one line for each folder that fails
//	go run .ci/language.go -v         one line for each folder, and each sentence found
//	go run .ci/language.go -v folder  the same, for the files below that folder
package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
)

// mostPerThousand is how many of the counted words a thousand words may have. One word in
// a folder always passes, since a short text would fail for it.
const mostPerThousand = 4

// frozen is the folder of the SQL migrations. The command skips it: a released migration
// must stay the file that ran on existing databases, so not even its comments may change.
const frozen = "storage/migrations/"

var (
	word    = regexp.MustCompile(`[A-Za-z][A-Za-z'’-]*`)
	unnamed = regexp.MustCompile(`(?i)\b(who|whom|whose|whoever|what|whatever|whichever)\b`)
	// misspelt is a word that the project writes in another way: "setup" is the noun, "set up"
	// the verb.
	misspelt  = regexp.MustCompile(`(?i)\bset-ups?\b`)
	codeBlock = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	// numbered is the name of a test that begins with the number of a requirement.
	numbered = regexp.MustCompile(`^(Test|Fuzz|Benchmark)(AZ|RU|PK|CO|TK|RT|JW|KY|IR|DV|TX|PJ|DR|LO|FD|SS|PW|RC|MF|AD|MN|HT|ST|CF|P)_?\d`)
)

// comments finds the comments in files that are not Go, by the end of their names.
var comments = map[string]*regexp.Regexp{
	".ts":      regexp.MustCompile(`(?s:/\*(.*?)\*/)|(?m:(?:^|\s)//(.*)$)`),
	".tsx":     regexp.MustCompile(`(?s:/\*(.*?)\*/)|(?m:(?:^|\s)//(.*)$)`),
	".js":      regexp.MustCompile(`(?s:/\*(.*?)\*/)|(?m:(?:^|\s)//(.*)$)`),
	".mjs":     regexp.MustCompile(`(?s:/\*(.*?)\*/)|(?m:(?:^|\s)//(.*)$)`),
	".css":     regexp.MustCompile(`(?s)/\*(.*?)\*/`),
	".html":    regexp.MustCompile(`(?s)\{\{-? ?/\*(.*?)\*/`),
	".sql":     regexp.MustCompile(`(?m)--(.*)$`),
	".txtar":   regexp.MustCompile(`(?m)^#(.*)$`),
	".yaml":    regexp.MustCompile(`(?m)(?:^|\s)#(.*)$`),
	".yml":     regexp.MustCompile(`(?m)(?:^|\s)#(.*)$`),
	".toml":    regexp.MustCompile(`(?m)(?:^|\s)#(.*)$`),
	".sh":      regexp.MustCompile(`(?m)(?:^|\s)#(.*)$`),
	"Makefile": regexp.MustCompile(`(?m)^#(.*)$`),
}

// text holds the prose of one file: its comments, or a document as a whole.
type text struct{ file, prose string }

// count is the sum over a folder.
type count struct{ words, found int }

func main() {
	verbose := flag.Bool("v", false, "list every folder and every sentence found")
	flag.Parse()
	texts, tests, err := read(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	failed := len(tests) > 0
	for _, name := range tests {
		fmt.Printf("%s begins with the number of a requirement: name its behaviour, and put the number into a comment\n", name)
	}
	folders := map[string]count{}
	for _, t := range texts {
		for _, found := range misspelt.FindAllString(t.prose, -1) {
			failed = true
			fmt.Printf("%s: %s: write setup for the noun, set up for the verb\n", t.file, found)
		}
		for _, folder := range []string{path.Dir(t.file), "all"} {
			sum := folders[folder]
			sum.words += len(word.FindAllString(t.prose, -1))
			sum.found += len(unnamed.FindAllString(t.prose, -1))
			folders[folder] = sum
		}
		if *verbose {
			list(t)
		}
	}
	var names []string
	for folder := range folders {
		names = append(names, folder)
	}
	slices.Sort(names)
	for _, folder := range names {
		sum := folders[folder]
		fails := sum.found > 1 && sum.found*1000 >= mostPerThousand*sum.words
		failed = failed || fails
		if fails || *verbose {
			fmt.Printf("%s: %.1f of who, whom, whose, what … in a thousand words (%d in %d); allowed are fewer than %d\n",
				folder, float64(sum.found)*1000/float64(max(sum.words, 1)), sum.found, sum.words, mostPerThousand)
		}
	}
	if failed {
		os.Exit(1)
	}
}

// list prints each line that has one of the counted words.
func list(t text) {
	for line := range strings.Lines(t.prose) {
		if unnamed.MatchString(line) {
			fmt.Printf("%s: %s\n", t.file, strings.TrimSpace(line))
		}
	}
}

// read gives the prose of the project's files below the folders, and the tests that are
// named by a number.
func read(folders []string) (texts []text, tests []string, err error) {
	// The user that runs the tests need not own the clone.
	listed, err := exec.Command("git", append([]string{"-c", "safe.directory=*", "ls-files", "--"}, folders...)...).Output()
	if err != nil {
		return nil, nil, fmt.Errorf("list the files with git: %w", err)
	}
	for file := range strings.Lines(string(listed)) {
		file = strings.TrimSpace(file)
		if strings.HasPrefix(file, frozen) {
			continue
		}
		content, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // removed, and not committed yet
		}
		if err != nil {
			return nil, nil, err
		}
		t := text{file: file}
		switch {
		case strings.HasSuffix(file, ".go"):
			t.prose, err = ofGo(file, content, &tests)
		case strings.HasSuffix(file, ".md"):
			t.prose = codeBlock.ReplaceAllString(string(content), " ")
		default:
			t.prose = ofOther(file, content)
		}
		if err != nil {
			return nil, nil, err
		}
		texts = append(texts, t)
	}
	return texts, tests, nil
}

// ofGo gives the comments of a Go file without its directives.
func ofGo(file string, content []byte, tests *[]string) (string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, content, parser.ParseComments)
	if err != nil {
		return "", err
	}
	var prose strings.Builder
	for _, group := range parsed.Comments {
		prose.WriteString(group.Text() + "\n")
	}
	for _, declared := range parsed.Decls {
		if f, ok := declared.(*ast.FuncDecl); ok && f.Recv == nil && numbered.MatchString(f.Name.Name) {
			*tests = append(*tests, file+": "+f.Name.Name)
		}
	}
	return prose.String(), nil
}

func ofOther(file string, content []byte) string {
	kind := path.Ext(file)
	if path.Base(file) == "Makefile" {
		kind = "Makefile"
	}
	if strings.HasPrefix(string(content), "#!") {
		kind = ".sh"
	}
	pattern := comments[kind]
	if pattern == nil {
		return ""
	}
	var prose strings.Builder
	for _, match := range pattern.FindAllSubmatch(content, -1) {
		for _, part := range match[1:] {
			prose.Write(part)
		}
		prose.WriteString("\n")
	}
	return prose.String()
}
