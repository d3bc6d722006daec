// Package accountstates contains only tests. They walk through the states of an account: its ways in,
// its factors, and whether its address is proven. Each step of the walk signs in on the real pages,
// acts on them, and is compared with a model.
//
// The model holds the promises of the design: the steps in a state, the changes that each one makes,
// the sessions that it ends and the notice that it sends. Tests of the model alone check that nobody is
// locked out, and that a thief of one thing gets no further than with it. The walk checks that the
// pages behave like the model.
//
// The model does not know any other package of this repository.
package accountstates
