// Command bench is it.
package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
)

func main() {
	p := newProgress(os.Stderr)
	rows, err := run(context.Background(), p, full, regexp.MustCompile(os.Args[1]))
	if err != nil {
		fmt.Println(err)
	}
	newReport(rows).writeTable(os.Stdout)
}
