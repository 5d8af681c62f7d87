package main

// exitError is an error with the exit code that it ends the process with. An
// error of any other type is one of cobra's, about flags and arguments, and
// ends it with exitUsage.
type exitError struct {
	code int
	err  error // nil: the command has said everything itself
}

// Error returns the text of the error, and nothing if there is none to print.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }
