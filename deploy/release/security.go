package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// security writes the security policy and, if the publisher has named a contact, security.txt
// (RFC 9116).
func (r *release) security(context.Context) error {
	policy, err := os.ReadFile(filepath.Join(r.source, "docs", "SECURITY.md"))
	if err != nil {
		return err
	}
	if err := r.create("SECURITY.md", func(w io.Writer) error {
		_, err := w.Write(policy)
		return err
	}); err != nil {
		return err
	}
	if r.contact == "" {
		fmt.Fprintln(r.talk, "security.txt is not written: name the address for reports with -contact or SIGNET_RELEASE_CONTACT, as https: or mailto:")
		return nil
	}
	return r.create("security.txt", func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "# Reports of vulnerabilities in Signet %s. The policy is in SECURITY.md.\nContact: %s\nExpires: %s\nPreferred-Languages: en\n",
			r.version, r.contact, securityExpires(r.date).Format(time.RFC3339))
		return err
	})
}

// securityExpires returns the end of the validity of security.txt. RFC 9116, section 2.5.5,
// recommends less than a year.
func securityExpires(at time.Time) time.Time { return at.AddDate(0, 11, 0) }

// checkContact checks an address for reports (RFC 9116, section 2.5.3).
func checkContact(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "https" && u.Host == "" || u.Scheme == "mailto" && u.Opaque == "" || u.Scheme != "https" && u.Scheme != "mailto" {
		return errors.New("the contact " + address + " is not an address: write https://… or mailto:…")
	}
	return nil
}
