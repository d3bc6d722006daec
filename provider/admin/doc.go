// Package admin shows operators what there is.
package admin
