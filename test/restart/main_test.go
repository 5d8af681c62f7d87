package main

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the process of the simulated proxies, which is the program
// that starts it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == fleetArgument {
		if code := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr); code != exitMet {
			panic("the simulated proxies have failed")
		}
		return
	}
	goleak.VerifyTestMain(m)
}
