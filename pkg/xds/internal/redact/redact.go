// Package redact keeps the content of resources out of what is logged and shown.
package redact

import (
	"regexp"
	"strings"
)

// longestMessage bounds what is kept of a rejection: a proxy that rejects a
// thousand clusters names each.
const longestMessage = 8 << 10

// dumps are what a proxy puts of a resource into its words, each with what it is
// replaced by. Envoy prints the whole message that broke a rule, inline private
// keys included: before the name of the rule, older versions behind it.
var dumps = []struct {
	pattern     *regexp.Regexp
	replacement string
}{
	{regexp.MustCompile(`(?s)goo\.gle/debug\w+.*?(\n: |$)`), "(resource not shown): "},
	{regexp.MustCompile(`(?s)(Proto constraint validation failed \([^\n]*?\)): \w+(?:: | \{).*`), "$1 (resource not shown)"},
	{regexp.MustCompile(`(?i)("?inline_?(?:string|bytes)"?\s*:\s*)(?:"(?:\\.|[^"\\])*("|$)|'(?:\\.|[^'\\])*('|$))`), "${1}(not shown)"},
	{regexp.MustCompile(`(?s)-{5}BEGIN .*?(-{5}END [A-Z ]*-{5}|$)`), "(not shown)"},
}

// Rejection returns a proxy's words for a rejection without what they quote of
// resources, for they are logged and shown to people who may not see secrets.
func Rejection(message string) string {
	for _, d := range dumps {
		message = d.pattern.ReplaceAllString(message, d.replacement)
	}
	if len(message) > longestMessage {
		message = strings.ToValidUTF8(message[:longestMessage], "") + "…"
	}
	return message
}
