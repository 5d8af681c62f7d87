package main

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestExitError(t *testing.T) {
	err := error(&exitError{exitFault, fs.ErrNotExist})
	if err.Error() != fs.ErrNotExist.Error() || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not stand for the error in it", err)
	}
	silent := error(&exitError{code: exitFault})
	if silent.Error() != "" || errors.Unwrap(silent) != nil {
		t.Errorf("an exit code without an error says %q", silent)
	}
}

// The exit codes that the help promises for every subcommand.
func TestExitCodes(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		env    []string
		code   int
		stderr string // its beginning
	}{
		{"help", []string{"--help"}, nil, 0, ""},
		{"version", []string{"--version"}, nil, 0, ""},
		{"an unknown subcommand", []string{"server"}, nil, exitUsage, `xdsready: unknown command "server" for "xdsready"`},
		{"an unknown flag", []string{"serve", "--sauce=x"}, nil, exitUsage, "xdsready: unknown flag: --sauce\nSee 'xdsready serve --help'\n"},
		{"a flag that does not parse", []string{"serve", "--hold-timeout=soon"}, nil, exitUsage, `xdsready: invalid argument "soon" for "--hold-timeout" flag`},
		{"a variable that does not parse", []string{"serve"}, []string{"XDSREADY_MAX_HELD=many"}, exitUsage, `xdsready: XDSREADY_MAX_HELD: invalid argument "many"`},
		{"a flag that cannot be used", []string{"serve"}, nil, exitUsage, "xdsready: --source is required: use dir:PATH or kubernetes\n"},
		{"nobody to drain", []string{"drain", "--admin-address", "127.0.0.1:1"}, nil, exitUsage, "xdsready: nothing to drain: asking 127.0.0.1:1: "},
		{"a variable that cannot be used", []string{"serve"}, []string{"XDSREADY_SOURCE=dir:/nonexistent"}, exitUsage, "xdsready: --source: /nonexistent: no such file or directory; name a directory that can be read\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := runCommand(t, tt.env, tt.args...)
			if got.Code != tt.code || !strings.HasPrefix(got.Stderr, tt.stderr) || tt.stderr == "" && got.Stderr != "" {
				t.Errorf("xdsready %q: exit code %d, stderr %q; want %d, %q", tt.args, got.Code, got.Stderr, tt.code, tt.stderr)
			}
		})
	}
}
