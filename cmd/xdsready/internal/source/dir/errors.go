package dir

import (
	"cmp"
	"fmt"
	"slices"
)

// Error is one fault of a configuration directory.
type Error struct {
	// File is the path below the directory's path as the user gave it.
	File string
	// Line counts from 1; 0 means that the fault concerns the whole file or
	// directory, which could not be read.
	Line int
	// Text says what is wrong and what to do. It names fields and types but
	// never quotes a value, for the value may be a key or a password.
	Text string
}

// Error returns "file:line: text", or "file: text" without a line.
func (e Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}

// Errors are all faults of a directory, sorted by file, line and text.
type Errors []Error

// Error returns the first fault and the number of the others, on one line: the
// form for logs and for the readiness endpoint.
func (e Errors) Error() string {
	switch len(e) {
	case 0:
		return "no errors"
	case 1:
		return e[0].Error()
	default:
		return fmt.Sprintf("%v (and %d more)", e[0], len(e)-1)
	}
}

// sort puts the faults in reading order and drops repetitions, which arise
// where a line has the same fault twice.
func (e Errors) sort() Errors {
	slices.SortFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	return slices.Compact(e)
}
