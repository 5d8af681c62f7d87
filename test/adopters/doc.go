// Package adopters builds control planes of others with a patch that gives them
// the gate, and runs their own unit tests: proof of what it takes to embed, and
// that an adopter's tests need no change.
package adopters
