package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"regexp"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"

	"signet/federation/foreign"
)

// defaultPatience limits the connection with its greeting and encryption, and then each mail.
// Some servers scan a mail before they accept it, so it is long.
const defaultPatience = 45 * time.Second

// Server sends mails to the mail server. It keeps one connection between calls of Send until
// Close. Calls must not overlap.
type Server struct {
	config   Config
	patience time.Duration

	client *gomail.Client // nil: not connected

	mu   sync.Mutex
	conn net.Conn // of client; nil: none
}

// NewServer returns a server that is not connected yet. patience limits each step; 0: 45 s.
func NewServer(c Config, patience time.Duration) *Server {
	if patience == 0 {
		patience = defaultPatience
	}
	return &Server{config: c, patience: patience}
}

// Failure says why a mail was not sent.
type Failure struct {
	Code string // stable, such as unreachable or status_550
	// Final: another try would fail too, because the server refused this recipient or this mail.
	Final bool
	// Server: the failure is not one of this mail. The next mails would fail too.
	Server bool
	Text   string // the cause, for the operator's log
}

// Error contains the code and the cause.
func (f *Failure) Error() string { return f.Code + ": " + f.Text }

// ErrNotTried: an earlier mail of the same call found that the server cannot be used.
var ErrNotTried = errors.New("the mail was not tried")

// Send sends the mails in their order and returns one error for each: nil, a *Failure or
// ErrNotTried. A mail without an error was accepted by the server. A mail with an error may have
// arrived nevertheless, if the connection broke before the server's answer.
func (s *Server) Send(ctx context.Context, list []Message) []error {
	// The end of ctx ends this call, also if the server hangs. A connection without a call in
	// progress stays open.
	dropped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(dropped); s.drop() })
	defer func() {
		if !stop() {
			<-dropped
			s.disconnect()
		}
	}()
	results := make([]error, len(list))
	for i, m := range list {
		if err := s.send(ctx, m); err != nil {
			results[i] = err
			if err.Server {
				for j := i + 1; j < len(list); j++ {
					results[j] = ErrNotTried
				}
				break
			}
		}
	}
	return results
}

// Close ends the connection. A later Send opens a new one.
func (s *Server) Close() {
	if s.client == nil {
		return
	}
	s.mu.Lock()
	if s.conn != nil {
		_ = s.conn.SetDeadline(time.Now().Add(min(s.patience, closePatience)))
	}
	s.mu.Unlock()
	_ = s.client.Close() // QUIT; the mails were accepted before
	s.disconnect()
}

// closePatience limits the wait for the answer to QUIT.
const closePatience = 5 * time.Second

func (s *Server) disconnect() {
	s.drop()
	s.client = nil
}

// drop ends the connection at once. Another goroutine may call it.
func (s *Server) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close()
	}
	s.conn = nil
}

// hold keeps a new connection for drop. It refuses it if ctx has ended meanwhile.
func (s *Server) hold(ctx context.Context, conn net.Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		_ = conn.Close()
		return err
	}
	s.conn = conn
	return nil
}

// send sends one mail. A connection that the server has closed meanwhile is opened again once.
func (s *Server) send(ctx context.Context, m Message) *Failure {
	composed, err := compose(s.config.From, m)
	if errors.Is(err, ErrRecipient) {
		return &Failure{Code: "recipient_invalid", Final: true, Text: err.Error()}
	}
	if err != nil {
		return &Failure{Code: "not_composed", Final: true, Text: foreign.ForLog(err.Error(), longestCause)}
	}
	reused := s.client != nil
	for {
		if s.client == nil {
			if err := s.connect(ctx); err != nil {
				s.disconnect()
				return connectionFailure(err)
			}
		}
		err := s.client.Send(composed)
		if err == nil || composed.IsDelivered() { // an error after the acceptance concerns the next mail
			if err != nil {
				s.disconnect()
			}
			return nil
		}
		failed := s.sendFailure(err, m.To)
		sent, is := errors.AsType[*gomail.SendError](err)
		if failed.Server || is && sent.Reason == gomail.ErrSMTPData { // go-mail sends no RSET after a refused DATA
			s.disconnect()
		}
		if is && sent.Reason == gomail.ErrConnCheck && reused {
			reused = false
			continue
		}
		return failed
	}
}

// connect opens a connection. The dial function keeps it, because go-mail leaves it open if the
// greeting fails.
func (s *Server) connect(ctx context.Context) error {
	c := s.config
	options := []gomail.Option{
		gomail.WithPort(c.port()), gomail.WithTimeout(s.patience), gomail.WithoutSMTPUTF8(),
		gomail.WithTLSConfig(&tls.Config{ServerName: c.Host, RootCAs: c.Roots, MinVersion: tls.VersionTLS12}),
	}
	if c.Name != "" {
		options = append(options, gomail.WithHELO(c.Name))
	}
	mechanisms := []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin}
	switch c.encryption() {
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case TLS:
		options = append(options, gomail.WithSSL())
	case None:
		if !foreign.IsLoopback(c.Host) {
			return fmt.Errorf("an unencrypted connection to %s is not allowed", c.Host)
		}
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
		mechanisms = []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc}
	default:
		return fmt.Errorf("unknown encryption %q", c.Encryption)
	}
	if c.Username != "" {
		options = append(options, gomail.WithOpportunisticSMTPAuth(mechanisms...), gomail.WithUsername(c.Username), gomail.WithPassword(c.Password.Reveal()))
	}
	options = append(options, gomail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(dialing, network, address)
		if err != nil {
			return nil, err
		}
		if err := s.hold(ctx, conn); err != nil {
			return nil, err
		}
		if c.encryption() != TLS {
			return conn, nil
		}
		encrypted := tls.Client(conn, &tls.Config{ServerName: c.Host, RootCAs: c.Roots, MinVersion: tls.VersionTLS12})
		return encrypted, encrypted.HandshakeContext(dialing)
	}))
	client, err := gomail.NewClient(c.Host, options...)
	if err != nil {
		return err
	}
	if err := client.DialWithContext(ctx); err != nil {
		return err
	}
	s.client = client
	return nil
}

// longestCause is the longest text of a cause in bytes.
const longestCause = 300

// connectionFailure describes why the server cannot be used. It is never final: an operator can
// correct the settings or the server.
func connectionFailure(err error) *Failure {
	f := &Failure{Code: "unreachable", Server: true, Text: foreign.ForLog(err.Error(), longestCause)}
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var network net.Error
	var answer *textproto.Error
	switch {
	case errors.As(err, &certificate):
		f.Code = "certificate_refused"
	case errors.As(err, &record), errors.As(err, &alert):
		f.Code = "tls_failed"
	case errors.As(err, &network) && network.Timeout():
		f.Code = "timeout"
	case errors.As(err, &answer) && (answer.Code == 535 || answer.Code == 534 || answer.Code == 538):
		f.Code = "authentication_refused"
	case errors.As(err, &answer):
		f.Code = fmt.Sprintf("status_%d", answer.Code)
	case strings.Contains(err.Error(), "not support STARTTLS"): // go-mail has no values for these two
		f.Code = "no_starttls"
	case strings.Contains(err.Error(), "SMTP AUTH"):
		f.Code = "authentication_unsupported"
	}
	return f
}

// sendFailure describes why the server did not accept a mail. The answer to the recipient and to
// the content is about this mail. All others, such as that to the sender's address, are about the
// settings or the server.
func (s *Server) sendFailure(err error, to string) *Failure {
	text, _, _ := strings.Cut(err.Error(), ", affected recipient(s):")
	text = withoutAddresses(text, to, s.config.From.address)
	f := &Failure{Code: "connection_lost", Server: true, Text: foreign.ForLog(text, longestCause)}
	sent, is := errors.AsType[*gomail.SendError](err)
	if !is || sent.ErrorCode() == 0 {
		if strings.Contains(err.Error(), "i/o timeout") { // go-mail does not wrap the cause
			f.Code = "timeout"
		}
		return f
	}
	f.Code = fmt.Sprintf("status_%d", sent.ErrorCode())
	switch sent.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
		f.Server = sent.ErrorCode() == 421 // RFC 5321, section 3.8: the server closes the connection
		f.Final = sent.ErrorCode() >= 500
	}
	return f
}

var addressInText = regexp.MustCompile(`[^\s<>()\[\]"',;:]+@[^\s<>()\[\]"',;:]+`)

// withoutAddresses removes people's addresses from the answer of a server, because it is logged.
// Servers repeat the address of the recipient in another letter case, with the domain as an
// A-label, in parts, or name the mailbox to which they forward. sender stays, because it is a setting.
func withoutAddresses(text, to, sender string) string {
	const instead = "the recipient"
	text = addressInText.ReplaceAllStringFunc(text, func(address string) string {
		if strings.EqualFold(address, sender) {
			return address
		}
		return instead
	})
	if at := strings.LastIndexByte(to, '@'); at > 0 {
		local := regexp.MustCompile(`(?i)(^|[^\pL\pN])` + regexp.QuoteMeta(to[:at]) + `($|[^\pL\pN])`)
		for range 2 { // two matches may share the character between them
			text = local.ReplaceAllString(text, "${1}"+instead+"${2}")
		}
	}
	return text
}
