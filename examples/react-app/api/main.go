// Command api is the example's own API. It stores notes of people signed in with Signet.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

func main() {
	check := newVerifier(setting("ISSUER", "http://localhost:5173/auth"), setting("AUDIENCE", "app"))
	mux := http.NewServeMux()
	var n notes
	mux.HandleFunc("GET /api/notes", n.list)
	mux.HandleFunc("POST /api/notes", n.add)
	// Browsers send the cookie with requests from pages of other sites too.
	csrf := http.NewCrossOriginProtection()
	server := &http.Server{
		Addr: setting("LISTEN", "localhost:3000"), Handler: csrf.Handler(check.require(mux)), ReadHeaderTimeout: 10 * time.Second,
	}
	log.Printf("listening on http://%s", server.Addr)
	log.Fatal(server.ListenAndServe())
}

func setting(name, byDefault string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return byDefault
}

// notes holds the notes in memory.
type notes struct {
	mu sync.Mutex
	of map[string][]string // by subject
}

func (n *notes) list(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	list := slices.Clone(n.of[r.Context().Value(subjectKey{}).(string)])
	n.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(append([]string{}, list...)) // [] rather than null
}

const mostNotes = 100

func (n *notes) add(w http.ResponseWriter, r *http.Request) {
	var note struct{ Text string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&note); err != nil || note.Text == "" {
		http.Error(w, `send {"text":"…"}`, http.StatusBadRequest)
		return
	}
	subject := r.Context().Value(subjectKey{}).(string)
	n.mu.Lock()
	if n.of == nil {
		n.of = map[string][]string{}
	}
	list := append(n.of[subject], note.Text)
	n.of[subject] = list[max(0, len(list)-mostNotes):]
	n.mu.Unlock()
	n.list(w, r)
}
