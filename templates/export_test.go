package templates

// NewIn returns the pages in another language than English.
var NewIn = newIn
