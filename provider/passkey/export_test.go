package passkey

// MakerList is the embedded list of models of authenticators.
var MakerList = makerList
