package supervisor

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Supervisor sends messages to the service manager. A nil Supervisor sends none.
type Supervisor struct {
	log      *slog.Logger
	watchdog time.Duration
	failed   sync.Once
}

// New reads the requests of the service manager from the environment (NOTIFY_SOCKET,
// WATCHDOG_USEC and WATCHDOG_PID).
func New(log *slog.Logger) *Supervisor {
	s := &Supervisor{log: log}
	var err error
	if s.watchdog, err = daemon.SdWatchdogEnabled(false); err != nil {
		log.Warn("cannot read the watchdog's time from WATCHDOG_USEC and WATCHDOG_PID: no messages for the watchdog are sent", "error", err)
	}
	return s
}

// Starting names the present step of a start, and asks for more time: the start may last at
// least for this time from now on.
func (s *Supervisor) Starting(status string, more time.Duration) {
	s.tell(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", more.Microseconds()), statusLine(status))
}

// Ready says that the server answers requests: after its start, and after each reload.
func (s *Supervisor) Ready(status string) { s.tell(daemon.SdNotifyReady, statusLine(status)) }

// Reloading says that the settings are read again. Ready must follow.
func (s *Supervisor) Reloading() {
	s.tell(daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()), statusLine("Reading the settings again"))
}

// Stopping says that the server has begun to stop.
func (s *Supervisor) Stopping(status string) { s.tell(daemon.SdNotifyStopping, statusLine(status)) }

// Working says that the server still works. It must follow within WatchdogTime after the one
// before.
func (s *Supervisor) Working() { s.tell(daemon.SdNotifyWatchdog) }

// WatchdogTime returns the time without Working after which the service manager kills the
// process; 0 if it never does.
func (s *Supervisor) WatchdogTime() time.Duration {
	if s == nil {
		return 0
	}
	return s.watchdog
}

// tell sends one message of several lines.
func (s *Supervisor) tell(lines ...string) {
	if s == nil {
		return
	}
	if _, err := daemon.SdNotify(false, strings.Join(lines, "\n")); err != nil {
		s.failed.Do(func() {
			s.log.Warn("cannot send a message to the service manager at NOTIFY_SOCKET", "error", err)
		})
	}
}

// statusLine returns the line for `systemctl status`. A line break would end it.
func statusLine(status string) string {
	return "STATUS=" + strings.Join(strings.Fields(status), " ")
}
