package validate

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Write writes a report. The format is "text", a line file:line: message for
// each finding and a summary in the last line, or "json". Other formats are an
// error, which [CheckFormat] finds before there is a report.
func (r *Report) Write(w io.Writer, format string) error {
	if err := CheckFormat(format); err != nil {
		return err
	}
	if format == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	_, err := io.WriteString(w, r.text())
	return err
}

// CheckFormat returns an error if [Report.Write] does not know the format.
func CheckFormat(format string) error {
	if format != "text" && format != "json" {
		return fmt.Errorf("unknown format %q: use text or json", format)
	}
	return nil
}

func (r *Report) text() string {
	var b strings.Builder
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "%s: %s\n", f.place(), f.Message)
	}
	for _, f := range r.Warnings {
		fmt.Fprintf(&b, "%s: warning: %s", f.place(), f.Message)
		if len(f.Groups) < len(r.Groups) {
			fmt.Fprintf(&b, " (%s)", strings.Join(f.Groups, ", "))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s: %s\n", r.Path, r.summary())
	return b.String()
}

// place returns file:line, or the file if there is no line.
func (f Finding) place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

func (r *Report) summary() string {
	if !r.Valid {
		return "not valid: " + count(len(r.Faults), "fault")
	}
	total, kinds := 0, []string(nil)
	for _, kind := range slices.Sorted(maps.Keys(r.Resources)) {
		total += r.Resources[kind]
		kinds = append(kinds, count(r.Resources[kind], kind))
	}
	resources := count(total, "resource")
	if total > 0 {
		resources += " (" + strings.Join(kinds, ", ") + ")"
	}
	return fmt.Sprintf("valid: %s, %s, %s, %s", count(r.Files, "file"), count(len(r.Groups), "node group"),
		resources, count(len(r.Warnings), "warning"))
}

// count returns "1 file" or "2 files".
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
