package subject_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// No package compares a sub with the id of a user, or puts the id of a user into a token: only
// Subjects knows which subject a client sees. In a client assertion, sub is the client id (RFC
// 7523, section 3), and an upstream has subjects of its own.
func TestSources_SubjectsAreOnlyMadeHere(t *testing.T) {
	found := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		switch filepath.Base(filepath.Dir(path)) {
		case "assertion", "providertest", "keystest", "subject":
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		found += len(file.Decls)
		for _, at := range directSubjects(file) {
			t.Errorf("%s: a subject meets the id of a user: use subject.Subjects", files.Position(at))
		}
		return nil
	})
	if err != nil || found < 500 {
		t.Fatalf("%d declarations, %v", found, err)
	}
}

// directSubjects returns the places where a subject is compared with an id, or set to one.
func directSubjects(file *ast.File) (places []token.Pos) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			compares := n.Op == token.EQL || n.Op == token.NEQ
			if compares && (isSubject(n.X) && isUserID(n.Y) || isUserID(n.X) && isSubject(n.Y)) {
				places = append(places, n.Pos())
			}
		case *ast.KeyValueExpr:
			name, _ := n.Key.(*ast.Ident)
			if name == nil {
				break
			}
			if (name.Name == "Subject" && isUserID(n.Value)) || name.Name == "UserID" && isSubject(n.Value) {
				places = append(places, n.Pos())
			}
		}
		return true
	})
	return places
}

// isSubject reports whether the expression is the field Subject or HintSubject of something.
func isSubject(e ast.Expr) bool {
	s, is := e.(*ast.SelectorExpr)
	return is && (s.Sel.Name == "Subject" || s.Sel.Name == "HintSubject")
}

// isUserID reports whether the expression is the id of a user: x.UserID, or user.ID.
func isUserID(e ast.Expr) bool {
	s, is := e.(*ast.SelectorExpr)
	if !is || s.Sel.Name != "ID" {
		return is && s.Sel.Name == "UserID"
	}
	switch of := s.X.(type) {
	case *ast.Ident:
		return of.Name == "user" || of.Name == "u"
	case *ast.SelectorExpr:
		return of.Sel.Name == "User" || of.Sel.Name == "user"
	}
	return false
}

func TestSources_DirectSubjectsAreFound(t *testing.T) {
	for source, want := range map[string]bool{
		`var _ = access.Subject != grant.UserID`: true, `var _ = current.UserID == q.HintSubject`: true, `var _ = token.Subject == current.User.ID`: true,
		`var _ = keys.IDToken{Subject: grant.UserID}`: true, `var _ = storage.Grant{UserID: access.Subject}`: true, `var _ = keys.IDToken{Subject: user.ID}`: true,
		`var _ = keys.IDToken{Subject: sub}`: false, `var _ = keys.AccessToken{Subject: client.ID}`: false, `var _ = storage.Grant{UserID: storage.UserIDIn(access.Subject)}`: false,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(directSubjects(file)) > 0; got != want {
			t.Errorf("%s: found is %v", source, got)
		}
	}
}
