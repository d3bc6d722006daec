package firstparty

import (
	"net/http"
	"time"

	"signet/provider/flow"
	"signet/provider/keys"
	"signet/provider/request"
	"signet/provider/session"
	"signet/provider/visit"
	"signet/provider/web"
	"signet/storage"
)

// Deps are what the endpoints of the app need. All are required.
type Deps struct {
	Issuer   string
	DB       *storage.DB
	Ring     *keys.Ring
	Requests *request.Requests
	Sessions *session.Sessions
	Visits   *visit.Visits
	Tokens   *flow.Tokens
	Now      func() time.Time
}

// Handler serves the first-party app.
type Handler struct{ Deps }

// New makes the handler of one provider.
func New(d Deps) *Handler { return &Handler{d} }

// Routes are the paths below the issuer that this package serves, beside Login.
func (h *Handler) Routes(router *web.Router) {
	router.Page("OPTIONS /login", h.Login())
	router.API("POST|OPTIONS /refresh", h.call(http.MethodPost, h.refresh))
	router.API("POST|OPTIONS /logout", h.call(http.MethodPost, h.logout))
	router.API("GET|HEAD|OPTIONS /session", h.call(http.MethodGet, h.session))
}

// Login takes the sign-in of the app: POST /login with a body of JSON.
func (h *Handler) Login() http.Handler { return h.call(http.MethodPost, h.login) }
