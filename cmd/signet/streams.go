package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"signet/federation/foreign"
)

// lockedWriter lets the log and the talk of a command share one stream.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(b)
}

// isTerminal reports whether a stream is a terminal's.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	state, err := file.Stat()
	if err != nil || state.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // a character device as well
	return err == nil && !os.SameFile(state, null)
}

// say talks to the person at the terminal.
func (p *program) say(format string, args ...any) {
	fmt.Fprintf(p.stderr, "signet: "+format+"\n", args...)
}

// writeJSON writes one indented document to standard output.
func (p *program) writeJSON(document any) error {
	out := json.NewEncoder(p.stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(document)
}

// writeTable writes rows in aligned columns to standard output.
func (p *program) writeTable(rows [][]string) error {
	out := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = foreign.ForTerminal(cell)
		}
		fmt.Fprintln(out, strings.Join(row, "\t"))
	}
	return out.Flush()
}

// filled leaves out the rows of name and value that have no value.
func filled(rows [][]string) [][]string {
	return slices.DeleteFunc(rows, func(row []string) bool { return row[1] == "" })
}
