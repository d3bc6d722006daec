// Package templates holds what people see: the page models and the html/template
// files that show them.
//
// A page model is a plain struct of ready strings and flags; it never holds a
// storage row. Everything a model says is escaped by context; no model has a field
// of type template.HTML, template.JS or template.URL. Pages work without
// JavaScript and without inline code.
package templates
