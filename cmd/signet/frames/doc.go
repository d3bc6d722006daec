// Package frames tests in Chromium what happens in iframes: front-channel logout at applications.
package frames
