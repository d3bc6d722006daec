package mailtest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Server is a running mail server.
type Server struct {
	Host string
	Port int
	// Roots verify the server's certificate, and CA is the same as PEM text.
	Roots *x509.CertPool
	CA    []byte

	mu          sync.Mutex
	received    []Mail
	connections int
	quits       int
	refusals    map[string]func() error // by recipient
	onData      func() error

	username, password string
}

// Mail is a mail that the server has accepted.
type Mail struct {
	From   string // of the envelope
	To     []string
	Raw    string
	Header mail.Header
	Text   string
	HTML   string
}

// Option changes the server before it starts.
type Option func(*settings)

type settings struct {
	tls, startTLS      bool
	username, password string
}

// WithStartTLS offers STARTTLS, which is the default.
func WithStartTLS(s *settings) { s.tls, s.startTLS = false, true }

// WithTLS encrypts from the first byte.
func WithTLS(s *settings) { s.tls, s.startTLS = true, false }

// WithoutTLS offers no encryption.
func WithoutTLS(s *settings) { s.tls, s.startTLS = false, false }

// WithLogin requires this user and password.
func WithLogin(username, password string) Option {
	return func(s *settings) { s.username, s.password = username, password }
}

// Start starts a server on a loopback address that offers STARTTLS. It stops when the test ends.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	set := settings{startTLS: true}
	for _, o := range options {
		o(&set)
	}
	// A certificate of net/http/httptest, for 127.0.0.1 and example.com.
	certified := httptest.NewTLSServer(nil)
	config, certificate := certified.TLS.Clone(), certified.Certificate()
	certified.Close()
	config.NextProtos = nil

	s := &Server{Roots: x509.NewCertPool(), refusals: map[string]func() error{}, username: set.username, password: set.password}
	s.Roots.AddCert(certificate)
	s.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	s.Host, s.Port = address.IP.String(), address.Port
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c.Conn()}, nil
	}))
	server.Domain, server.AllowInsecureAuth, server.ErrorLog = "mail.example.com", true, log.New(io.Discard, "", 0)
	server.ReadTimeout, server.EnableSMTPUTF8 = time.Minute, true
	if set.startTLS {
		server.TLSConfig = config
	}
	listener = counted{listener, s}
	if set.tls {
		listener = tls.NewListener(listener, config)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() {
		_ = server.Close()
		_ = listener.Close() // Close knows it only after Serve has begun
		running.Wait()
	})
	return s
}

// counted counts the connections of a server.
type counted struct {
	net.Listener
	server *Server
}

// Accept waits for the next connection.
func (c counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		c.server.connections++
		conn = watched{conn, c.server}
	}
	return conn, err
}

// watched counts the QUIT commands on a connection without encryption.
type watched struct {
	net.Conn
	server *Server
}

// Read reads the next bytes of the client.
func (w watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if bytes.Equal(b[:n], []byte("QUIT\r\n")) {
		w.server.mu.Lock()
		defer w.server.mu.Unlock()
		w.server.quits++
	}
	return n, err
}

// Refuse answers each RCPT command for the address with the error of answer; nil accepts it.
func (s *Server) Refuse(address string, answer func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals[address] = answer
}

// ErrDie closes the connection without an answer.
var ErrDie = errors.New("the server dies")

// answer passes on the answer of a test.
func (s *session) answer(f func() error) error {
	if f == nil {
		return nil
	}
	err := f()
	if errors.Is(err, ErrDie) {
		_ = s.conn.Close()
	}
	return err
}

// OnData calls f after each mail has arrived. Its error is the answer to the mail.
func (s *Server) OnData(f func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onData = f
}

// Status is an answer with this code.
func Status(code int) error { return Answer(code, "as the test wants") }

// Answer is an answer with this code and text.
func Answer(code int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 0, 0}, Message: text}
}

// Received returns the mails that have arrived since the last call.
func (s *Server) Received() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.received
	s.received = nil
	return list
}

// Connections returns the number of connections so far.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

// Quits returns the number of connections without encryption that the client has ended with QUIT
// (RFC 5321, section 4.1.1.10).
func (s *Server) Quits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quits
}

// session is one connection.
type session struct {
	server   *Server
	conn     net.Conn
	mail     Mail
	loggedIn bool
}

func (s *session) AuthMechanisms() []string {
	if s.server.username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != s.server.username || password != s.server.password {
			return smtp.ErrAuthFailed
		}
		s.loggedIn = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.username != "" && !s.loggedIn {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "authentication required"}
	}
	s.mail = Mail{From: from}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	refusal := s.server.refusals[to]
	s.server.mu.Unlock()
	if err := s.answer(refusal); err != nil {
		return err
	}
	s.mail.To = append(s.mail.To, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	read, err := parse(raw)
	if err != nil {
		return &smtp.SMTPError{Code: 554, Message: err.Error()}
	}
	read.From, read.To = s.mail.From, s.mail.To
	s.server.mu.Lock()
	s.server.received = append(s.server.received, read)
	after := s.server.onData
	s.server.mu.Unlock()
	return s.answer(after)
}

func (s *session) Reset() { s.mail = Mail{} }

func (s *session) Logout() error { return nil }

// parse reads a mail with a text and an HTML part.
func parse(raw []byte) (Mail, error) {
	message, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Mail{}, err
	}
	m := Mail{Raw: string(raw), Header: message.Header}
	kind, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return Mail{}, errors.Join(errors.New("not multipart/alternative but "+kind), err)
	}
	for parts := multipart.NewReader(message.Body, parameters["boundary"]); ; {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return Mail{}, err
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			return Mail{}, err
		}
		text := strings.ReplaceAll(string(body), "\r\n", "\n")
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			m.HTML = text
		} else {
			m.Text = text
		}
	}
}

// Subject returns the decoded subject.
func (m Mail) Subject() string {
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return m.Header.Get("Subject")
	}
	return subject
}
