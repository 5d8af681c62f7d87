package bootstrap

import (
	"fmt"
	"io"
	"os"
)

// Write prints the bootstrap to w in a format, yaml or json, and writes the
// files that it names in SDSDir. An error names the flag that cannot be used;
// nothing has been printed then.
func Write(w io.Writer, format string, o Options) error {
	b, err := New(o)
	if err != nil {
		return err
	}
	var text []byte
	switch format {
	case "yaml":
		text, err = YAML(b)
	case "json":
		text, err = JSON(b)
	default:
		err = fmt.Errorf("--output: unknown format %q: use yaml or json", format)
	}
	if err != nil {
		return err
	}
	files, err := SecretFiles(o)
	if err != nil {
		return err
	}
	for path, secret := range files {
		if err := replace(path, secret); err != nil {
			return fmt.Errorf("--sds-dir: %w: name a directory that can be written", err)
		}
	}
	_, err = w.Write(text)
	return err
}

// replace writes a file in one step: an Envoy that is running may read it. It is
// readable for all, since Envoy may be another user and it holds paths alone.
func replace(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
