// Package templates holds the page models and the html/template files that render them. The
// sentences of the pages are in package words.
//
// A page model is a plain struct of values, flags and sentences. It never holds a storage
// row. Every value is escaped by context: no model has a field of type template.HTML,
// template.JS or template.URL. Pages work without JavaScript and without inline code.
//
// The package does not know HTTP, storage, or the language that a person reads.
package templates
