package gatewayapi

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode"

	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// maxProgram is the size of a compiled expression that Envoy takes when its
// runtime setting re2.max_program_size.error_level is not raised.
const maxProgram = 100

// regexMatcher returns Envoy's form of a regular expression, which has to match
// the whole of a value. It refuses what Envoy would refuse: there one bad
// expression costs the whole route table.
func regexMatcher(text string) (*matcherv3.RegexMatcher, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) || strings.Contains(text, `\x{`) {
		return nil, fmt.Errorf("the regular expression %q is not in ASCII: Envoy matches bytes, write others as \\xHH", text)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%w (the syntax is RE2)", err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, errors.New("the regular expression does not compile: " + err.Error())
	}
	if size := programSize(program); size > maxProgram {
		return nil, fmt.Errorf("the regular expression %q is too large: it compiles to %d instructions, Envoy takes %d", text, size, maxProgram)
	}
	return &matcherv3.RegexMatcher{Regex: text}, nil
}

// programSize estimates the size that Envoy's RE2 counts, not below it. RE2 has
// an instruction for each range of bytes where Go has one for a whole class.
func programSize(program *syntax.Prog) int {
	size := 0
	for i := range program.Inst {
		switch inst := &program.Inst[i]; inst.Op {
		case syntax.InstRune:
			size += byteRanges(inst.Rune)
		case syntax.InstRuneAnyNotNL:
			size += 2
		default:
			size++
		}
	}
	return size
}

// byteRanges counts the ranges, given as pairs of ends, that begin within a byte.
func byteRanges(runes []rune) int {
	ranges := 0
	for i := 0; i < len(runes); i += 2 {
		if runes[i] <= 0xff {
			ranges++
		}
	}
	return max(ranges, 1)
}
