package assertion

import "net/url"

// ParametersOf returns the parameters of an object before it is verified.
func ParametersOf(o RequestObject) url.Values { return o.parameters }
