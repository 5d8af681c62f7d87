// Package envoy proves with a real Envoy what the docs claim about Envoys: that
// they stay out until every tier has reported, and what they get after that; and
// in TestFact…, that they behave as the server takes for granted.
//
// The tests need the Envoy that `make envoy` fetches, or another one named by
// the environment variable ENVOY. Without one they fail, except with
// SKIP_ENVOY=1.
package envoy
