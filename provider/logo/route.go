package logo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"signet/provider/web"
	"signet/static"
	"signet/storage"
)

// Routes returns the path of the logos.
func (l *Logos) Routes() []web.Route {
	return []web.Route{{Methods: "GET|HEAD", Path: "/client-logo/{client}/{version}", Policy: web.FilePolicy, Handler: http.HandlerFunc(l.serve)}}
}

var errUnknownLogo = web.Because("unknown_logo", fmt.Errorf("the client has no such logo: %w", storage.ErrNotFound))

// policy lets a picture that is opened by itself load and run nothing.
const policy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"

// nothing is a transparent GIF of one pixel. In a page, browsers show a picture of any status; without
// one they show a broken picture.
const nothing = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x21\xf9\x04\x01\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b"

// serve answers with the logo of a client, or with 404 if there is none now. A page then gets an
// invisible picture. Browsers keep a logo for a day, and ask again for a missing one with the next page.
func (l *Logos) serve(w http.ResponseWriter, r *http.Request) {
	logo, err := l.logoAt(r.Context(), r.PathValue("client"), r.PathValue("version"))
	h := w.Header()
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	switch {
	case errors.Is(err, storage.ErrNotFound) && strings.HasPrefix(r.Header.Get("Accept"), "image/"): // a page
		web.TraceOf(r.Context()).Refuse(err)
		h.Set("Content-Type", "image/gif")
		h.Set("Content-Length", strconv.Itoa(len(nothing)))
		w.WriteHeader(http.StatusNotFound)
		writeBody(w, r, []byte(nothing))
		return
	case err != nil:
		web.Path.Fail(w, r, err)
		return
	}
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(life.Seconds())))
	h.Set("ETag", logo.etag)
	h.Set("Content-Security-Policy", policy)
	if static.Unchanged(r, logo.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", logo.kind)
	h.Set("Content-Length", strconv.Itoa(len(logo.bytes)))
	writeBody(w, r, logo.bytes)
}

func writeBody(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // an error means that the browser has left
	}
}

// logoAt returns the logo of a client, if version is the one of its address. storage.ErrNotFound: there
// is none, or it cannot be fetched.
func (l *Logos) logoAt(ctx context.Context, clientID, version string) (picture, error) {
	client, err := l.Clients.Enabled(ctx, clientID)
	if err != nil {
		return picture{}, err
	}
	if PathOf(client) == "" || version != versionOf(client.Metadata.LogoURI) {
		return picture{}, errUnknownLogo
	}
	logo, err := l.picture(ctx, client)
	if err != nil {
		err = web.Because("logo_unavailable", fmt.Errorf("%w: %w", storage.ErrNotFound, err))
	}
	return logo, err
}
