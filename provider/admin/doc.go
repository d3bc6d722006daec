// Package admin serves the pages for operators: what there is, and how it goes.
//
// Only users who are administrators see them. That is read from the database on
// each request, with the session. What is set in the configuration is shown here
// and never changed.
package admin
