package socket

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"signet/provider/web"
	"signet/storage"
)

// Crowd limits the connections of a server: those of all peers together, and those of one
// network that wait. A connection waits while no request of it is served: before its first
// request, while its TLS handshake or the header of a request is incomplete, and between two
// requests. If a network has more waiting connections than its share, the one that has waited
// longest is closed. A connection with a running request is never closed.
type Crowd struct {
	share  int
	exempt func(netip.Addr) bool // proxies: the connections of all their visitors come from them
	places chan struct{}         // one for each open connection

	fresh atomic.Int64 // connections whose first request no handler has begun

	mu       sync.Mutex
	networks map[string]*crowdNetwork
	owners   map[string]*crowdOwner
	closed   int64
}

// crowdNetwork holds the connections of one network; see storage.Network.
type crowdNetwork struct {
	name    string
	owner   *crowdOwner
	open    int
	waiting list.List // of *crowdConn, the longest waiting first
}

// crowdOwner counts the connections of all networks that one owner may have; see
// storage.WideNetwork.
type crowdOwner struct {
	name          string
	open, waiting int
}

// NewCrowd makes a Crowd for at most so many connections at once, and share waiting ones of
// one network. exempt reports whether an address is exempt from the second limit. Peers at unix
// sockets always are.
func NewCrowd(most, share int, exempt func(netip.Addr) bool) *Crowd {
	return &Crowd{share: share, exempt: exempt, places: make(chan struct{}, most), networks: map[string]*crowdNetwork{}, owners: map[string]*crowdOwner{}}
}

// Limit returns a listener whose connections count in the crowd. The server must pass all
// changes of their state to Follow.
func (c *Crowd) Limit(l net.Listener) net.Listener {
	return &crowdListener{Listener: l, crowd: c, done: make(chan struct{})}
}

// TakeClosed returns the number of connections that were closed because of the limits since
// the last call.
func (c *Crowd) TakeClosed() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	closed := c.closed
	c.closed = 0
	return closed
}

// Follow notes whether a connection waits. It is the ConnState function of the http.Server.
func (c *Crowd) Follow(conn net.Conn, state http.ConnState) {
	counted := countedOf(conn)
	if counted == nil || counted.network == nil {
		return
	}
	switch state {
	case http.StateActive, http.StateHijacked:
		c.mu.Lock()
		counted.leaveLine()
		c.mu.Unlock()
	case http.StateIdle:
		c.line(counted)
	}
}

// countedOf returns the connection of the crowd below a connection of the server, or nil.
func countedOf(conn net.Conn) *crowdConn {
	if secured, is := conn.(*tls.Conn); is {
		conn = secured.NetConn()
	}
	counted, _ := conn.(*crowdConn)
	return counted
}

// connKey is the key of the connection in the context of its requests.
type connKey struct{}

// Context makes the connection known to its requests. It is the ConnContext function of the
// http.Server.
func (c *Crowd) Context(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, countedOf(conn))
}

// Begin returns a handler that notes the first request of each connection; see Fresh.
func (c *Crowd) Begin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, _ := r.Context().Value(connKey{}).(*crowdConn); conn != nil {
			conn.begin()
		}
		next.ServeHTTP(w, r)
	})
}

// Fresh returns the number of connections without a request so far. A server that ends waits
// for their requests: http.Server would drop a request that it reads after Shutdown has begun.
func (c *Crowd) Fresh() int64 { return c.fresh.Load() }

// line lets a connection wait, and closes another one of the network if there are too many.
func (c *Crowd) line(conn *crowdConn) {
	c.mu.Lock()
	if conn.left || conn.place != nil {
		c.mu.Unlock()
		return
	}
	conn.place = conn.network.waiting.PushBack(conn)
	conn.network.owner.waiting++
	var longest *crowdConn
	if conn.network.waiting.Len() > c.share {
		longest = c.takeLongest(conn.network)
	}
	c.mu.Unlock()
	if longest != nil {
		_ = longest.Close()
	}
}

// takeLongest takes the longest waiting connection out of the line, for the caller to close.
func (c *Crowd) takeLongest(n *crowdNetwork) *crowdConn {
	first := n.waiting.Front()
	if first == nil {
		return nil
	}
	longest := first.Value.(*crowdConn)
	longest.leaveLine()
	c.closed++
	return longest
}

// makePlace closes the longest waiting connection of the network with the most of them, so
// that a crowd of many networks does not keep everyone else out. It looks at the networks of the
// owner with the most waiting connections.
func (c *Crowd) makePlace() {
	c.mu.Lock()
	var most *crowdOwner
	for _, o := range c.owners {
		if most == nil || o.waiting > most.waiting {
			most = o
		}
	}
	var largest *crowdNetwork
	for _, n := range c.networks {
		if n.owner == most && (largest == nil || n.waiting.Len() > largest.waiting.Len()) {
			largest = n
		}
	}
	var longest *crowdConn
	if largest != nil {
		longest = c.takeLongest(largest)
	}
	c.mu.Unlock()
	if longest != nil {
		_ = longest.Close()
	}
}

// enter counts a new connection. It waits for its first request.
func (c *Crowd) enter(conn net.Conn) net.Conn {
	counted := &crowdConn{Conn: conn, crowd: c}
	c.fresh.Add(1)
	if conn.RemoteAddr().String() == web.UnixPeer {
		return counted
	}
	peer, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	address := peer.Addr().Unmap().WithZone("")
	if err != nil || c.exempt(address) {
		return counted
	}
	name := storage.Network(address.String())
	c.mu.Lock()
	network := c.networks[name]
	if network == nil {
		network = &crowdNetwork{name: name, owner: c.ownerOf(address)}
		c.networks[name] = network
	}
	network.open++
	network.owner.open++
	counted.network = network
	c.mu.Unlock()
	c.line(counted)
	return counted
}

// ownerOf returns the counts of the owner of an address. The caller holds the lock.
func (c *Crowd) ownerOf(address netip.Addr) *crowdOwner {
	name := storage.WideNetwork(address.String())
	if c.owners[name] == nil {
		c.owners[name] = &crowdOwner{name: name}
	}
	return c.owners[name]
}

// leave counts a connection that has ended.
func (c *Crowd) leave(conn *crowdConn) {
	<-c.places
	if conn.network == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.left = true
	conn.leaveLine()
	if conn.network.open--; conn.network.open == 0 {
		delete(c.networks, conn.network.name)
	}
	if conn.network.owner.open--; conn.network.owner.open == 0 {
		delete(c.owners, conn.network.owner.name)
	}
}

// crowdConn is a connection that counts. The fields below once belong to the lock of the crowd.
type crowdConn struct {
	net.Conn
	crowd   *Crowd
	network *crowdNetwork // nil if it is exempt
	once    sync.Once
	begun   atomic.Bool // a handler has begun a request, or the connection has ended

	place *list.Element // in the line of the network; nil if it does not wait
	left  bool          // it has ended
}

// begin notes that the connection is not fresh any more.
func (c *crowdConn) begin() {
	if !c.begun.Load() && c.begun.CompareAndSwap(false, true) {
		c.crowd.fresh.Add(-1)
	}
}

// leaveLine takes the connection out of the line. The caller holds the lock of the crowd.
func (c *crowdConn) leaveLine() {
	if c.place != nil {
		c.network.waiting.Remove(c.place)
		c.network.owner.waiting--
		c.place = nil
	}
}

// Close ends the connection and gives its place to the next.
func (c *crowdConn) Close() error {
	err := c.Conn.Close()
	c.begin()
	c.once.Do(func() { c.crowd.leave(c) })
	return err
}

// crowdListener returns a connection when there is a place for it.
type crowdListener struct {
	net.Listener
	crowd *Crowd
	once  sync.Once
	done  chan struct{}
}

// Accept waits for the next connection and for a place.
func (l *crowdListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case l.crowd.places <- struct{}{}:
	default:
		l.crowd.makePlace()
		select {
		case l.crowd.places <- struct{}{}:
		case <-l.done:
			_ = conn.Close()
			return nil, net.ErrClosed
		}
	}
	return l.crowd.enter(conn), nil
}

// Close ends the listener. Its connections stay.
func (l *crowdListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}
