//go:build !xdsready_testing

package main

import "testing"

// A release build cannot be told to serve without the gate.
func TestNoTestFlags(t *testing.T) {
	for _, name := range []string{"test-no-gate", "test-input-delay"} {
		if newServeCommand().Flags().Lookup(name) != nil {
			t.Errorf("there is a flag --%s", name)
		}
	}
}
