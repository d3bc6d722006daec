package session

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"signet/storage"
)

const deviceCookie = "_device"

// DeviceLife is how long a browser stays known to the last user of it. Signing out does
// not end this: the device's cookie signs nobody in. It lets the owner of an account try
// again from this browser after strangers have used up the account's attempts.
const DeviceLife = 180 * 24 * time.Hour

// Device opens the device's cookie of the browser. It returns the zero Device if there is
// no such cookie, or if it was not sealed by this Signet or has expired. It does not check
// that the user still knows the device: storage compares it with the user's row.
func (s *Sessions) Device(r *http.Request) storage.Device {
	sealed, ok := s.Cookies.Read(r, deviceCookie)
	if !ok {
		return storage.Device{}
	}
	payload, err := s.Ring.Unseal("device", sealed, s.Now())
	if err != nil {
		return storage.Device{}
	}
	var d storage.Device
	if json.Unmarshal(payload, &d) != nil {
		return storage.Device{}
	}
	return d
}

// RememberBrowser returns the ID of the browser in its device's cookie, and sets such a cookie
// for a browser without one. The cookie then names no user, so it makes the browser known to
// nobody.
func (s *Sessions) RememberBrowser(w http.ResponseWriter, r *http.Request) (id string, err error) {
	d := s.Device(r)
	if d.ID == "" {
		d = storage.Device{ID: rand.Text(), Since: storage.At(s.Now())}
		err = s.writeDevice(w, d)
	}
	return d.ID, err
}

// setDeviceCookie makes the browser known to the user of the session. id is that of nextDeviceID.
func (s *Sessions) setDeviceCookie(w http.ResponseWriter, id string, started storage.Session) error {
	return s.writeDevice(w, storage.Device{ID: id, UserID: started.UserID, Since: started.CreatedAt})
}

func (s *Sessions) writeDevice(w http.ResponseWriter, d storage.Device) error {
	payload, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode device: %w", err)
	}
	sealed, err := s.Ring.Seal("device", payload, s.Now().Add(DeviceLife))
	if err != nil {
		return fmt.Errorf("seal device: %w", err)
	}
	s.Cookies.Set(w, deviceCookie, sealed, DeviceLife)
	return nil
}
