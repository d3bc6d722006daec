package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"golang.org/x/term"

	"signet/federation/foreign"
)

// LockedWriter lets several goroutines write to one stream, such as the log and the messages
// of a command.
type LockedWriter struct {
	mu sync.Mutex
	To io.Writer
}

// Write writes b before any other write begins.
func (w *LockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.To.Write(b)
}

// IsTerminal reports whether the stream is a terminal.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Say prints a message for the operator to standard error.
func (p *Program) Say(format string, args ...any) {
	fmt.Fprintf(p.Stderr, "signet: "+format+"\n", args...)
}

// WriteJSON prints document as indented JSON to standard output.
func (p *Program) WriteJSON(document any) error {
	out := json.NewEncoder(p.Stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(document)
}

// WriteTable prints rows in aligned columns to standard output.
func (p *Program) WriteTable(rows [][]string) error {
	out := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = foreign.ForTerminal(cell)
		}
		fmt.Fprintln(out, strings.Join(row, "\t"))
	}
	return out.Flush()
}

// DropEmptyRows returns the rows of name and value without those that have an empty value.
func DropEmptyRows(rows [][]string) [][]string {
	return slices.DeleteFunc(rows, func(row []string) bool { return row[1] == "" })
}
