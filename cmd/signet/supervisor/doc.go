// Package supervisor tells the service manager of the machine, such as systemd, how this
// process is doing: it is ready, it reloads, it stops, it still works (sd_notify).
//
// The service manager names its socket in the environment. Without one, every message is
// dropped: the program runs the same everywhere. A message that cannot be sent never stops
// the server; the first failure is logged.
//
// The package does not know requests, settings and databases: the node decides whether it is
// ready and whether it works.
package supervisor
