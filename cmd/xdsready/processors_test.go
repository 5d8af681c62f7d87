package main

import (
	"context"
	"os"
	"runtime"
	"testing"
)

func TestShareProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, test := range []struct {
		name, environment string
		processors, want  int
	}{
		{"unless it is said", "", 3, 12},
		{"not without end", "", 6, 16},
		{"never less", "", 32, 32},
		{"as it is said", "3", 3, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			runtime.GOMAXPROCS(test.processors)
			t.Setenv("GOMAXPROCS", test.environment)
			if test.environment == "" {
				if err := os.Unsetenv("GOMAXPROCS"); err != nil {
					t.Fatal(err)
				}
			}
			opened := make(chan struct{})
			close(opened)
			shareProcessors(t.Context(), opened)
			if got := runtime.GOMAXPROCS(0); got != test.want {
				t.Errorf("GOMAXPROCS is %d, want %d", got, test.want)
			}
		})
	}
	t.Setenv("GOMAXPROCS", "")
	runtime.GOMAXPROCS(3)
	ended, end := context.WithCancel(t.Context())
	end()
	shareProcessors(ended, nil)
	if runtime.GOMAXPROCS(0) != 3 {
		t.Errorf("GOMAXPROCS is %d though the gate never opened, want 3", runtime.GOMAXPROCS(0))
	}
}
