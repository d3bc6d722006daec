// Package logo shows the logos of clients on our pages without telling the host of a logo who
// signs in: the server fetches a logo, and browsers get it from a path of ours.
//
// It owns the path of a logo, the fetch, the check that the bytes are a picture of a known kind and
// size, and the memory of pictures and failures. Any number of requests share one fetch. A picture
// is never taken for the kind that its host names, and never a document: SVG is refused.
//
// The package does not know pages, sessions or requests of sign-ins.
package logo
