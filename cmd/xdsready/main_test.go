package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"go.uber.org/goleak"
)

// beCommand in the environment makes the test's binary be the command, so that
// tests see a process without building another binary.
const beCommand = "BE_THE_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(beCommand) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// result is what a process leaves.
type result struct {
	Code           int
	Stdout, Stderr string
}

// runCommand runs xdsready with these arguments, and with nothing of its
// environment but these variables.
func runCommand(t *testing.T, env []string, args ...string) result {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append([]string{beCommand + "=1"}, env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("xdsready %q: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func TestSetFromEnvironment(t *testing.T) {
	type values struct {
		Address string
		Max     int
		Names   []string
	}
	defaults := values{Address: "default", Max: 1}
	tests := []struct {
		name string
		args []string
		env  map[string]string
		want values
		err  string
	}{
		{"nothing set", nil, nil, defaults, ""},
		{"other variables", nil, map[string]string{"ADDRESS": "x", "XDSREADY_OTHER": "x", "XDSREADY_XDS-ADDRESS": "x"}, defaults, ""},
		{"a variable, with _ for -", nil, map[string]string{"XDSREADY_XDS_ADDRESS": "env"}, values{Address: "env", Max: 1}, ""},
		{"an empty value is a value", nil, map[string]string{"XDSREADY_XDS_ADDRESS": ""}, values{Max: 1}, ""},
		{"the command line wins", []string{"--xds-address=arg"}, map[string]string{"XDSREADY_XDS_ADDRESS": "env", "XDSREADY_MAX": "7"}, values{Address: "arg", Max: 7}, ""},
		{"the command line wins even with the default", []string{"--max=1"}, map[string]string{"XDSREADY_MAX": "7"}, defaults, ""},
		{"a list has one value", nil, map[string]string{"XDSREADY_NAME": "a=b,c"}, values{Address: "default", Max: 1, Names: []string{"a=b,c"}}, ""},
		{"help is asked for on the command line only", nil, map[string]string{"XDSREADY_HELP": "true"}, defaults, ""},
		{
			"a bad value, with its variable", nil, map[string]string{"XDSREADY_MAX": "many"}, values{},
			`XDSREADY_MAX: invalid argument "many" for "--max" flag: strconv.ParseInt: parsing "many": invalid syntax`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got values
			flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
			flags.StringVar(&got.Address, "xds-address", "default", "")
			flags.IntVar(&got.Max, "max", 1, "")
			flags.StringArrayVar(&got.Names, "name", nil, "")
			help := flags.Bool("help", false, "")
			if err := flags.Parse(tt.args); err != nil {
				t.Fatal(err)
			}
			err := setFromEnvironment(flags, func(name string) (string, bool) {
				value, ok := tt.env[name]
				return value, ok
			})
			if text := errorText(err); text != tt.err {
				t.Errorf("error %q, want %q", text, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" && err == nil {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
			if *help {
				t.Error("--help is set")
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// All wrong variables are named at once.
func TestSetFromEnvironmentNamesAllFaults(t *testing.T) {
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags.Int("a", 0, "")
	flags.Bool("b", false, "")
	err := setFromEnvironment(flags, func(string) (string, bool) { return "wrong", true })
	for _, name := range []string{"XDSREADY_A", "XDSREADY_B"} {
		if !strings.Contains(errorText(err), name) {
			t.Errorf("error %v does not name %s", err, name)
		}
	}
}

// The variables of "serve" must not reach the flags of the same name by which
// "bootstrap" describes an Envoy.
func TestBootstrapHasVariablesOfItsOwn(t *testing.T) {
	got := runCommand(t, []string{"XDSREADY_ADMIN_ADDRESS=127.0.0.1:18001", "XDSREADY_TLS_CERT=server.crt"}, "bootstrap")
	if got.Code != 0 || strings.Contains(got.Stdout, "18001") {
		t.Errorf("with the variables of serve: %+v", got)
	}
	got = runCommand(t, []string{"XDSREADY_ENVOY_ADMIN_ADDRESS=127.0.0.1:19901"}, "bootstrap")
	if got.Code != 0 || !strings.Contains(got.Stdout, "port_value: 19901") {
		t.Errorf("with its own variable: %+v", got)
	}
}
