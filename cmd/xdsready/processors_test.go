package main

import (
	"os"
	"runtime"
	"testing"
)

func TestShareProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	for _, test := range []struct {
		name, environment string
		want              int
	}{
		{"unless it is said", "", 3 * overcommit},
		{"as it is said", "3", 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			runtime.GOMAXPROCS(3)
			t.Setenv("GOMAXPROCS", test.environment)
			if test.environment == "" {
				if err := os.Unsetenv("GOMAXPROCS"); err != nil {
					t.Fatal(err)
				}
			}
			if processors := shareProcessors(); processors != 3 {
				t.Errorf("shareProcessors() = %d, want 3", processors)
			}
			if got := runtime.GOMAXPROCS(0); got != test.want {
				t.Errorf("GOMAXPROCS is %d, want %d", got, test.want)
			}
		})
	}
}
