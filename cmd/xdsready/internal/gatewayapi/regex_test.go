package gatewayapi

import "testing"

// TestRegex: an expression that Envoy 1.40 refuses with its default settings is
// refused here.
func TestRegex(t *testing.T) {
	for text, good := range map[string]bool{
		`/users/[0-9]+(/.*)?`: true,
		`(?i)/a`:              true,
		`/(?P<name>a)`:        true,
		`/\pL+`:               true,
		`/\xe9`:               true,
		`/.{1,30}`:            true,
		`/[a-z]{1,200}`:       false, // too large
		`/a{1,2000}`:          false,
		`/(`:                  false,
		`/x**`:                false,
		`/a(?=b)`:             false, // no RE2
		`/(a)\1`:              false,
		`/é`:                  false,
		`/\x{e9}`:             false,
	} {
		if _, err := regexMatcher(text); (err == nil) != good {
			t.Errorf("%s: good %t, want %t: %v", text, err == nil, good, err)
		}
	}
}
