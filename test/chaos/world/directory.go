package world

import (
	"os"
	"path/filepath"
	"sync"
)

// directory is the input of one replica: what it reads, and what happens to that.
type directory struct {
	path string

	mu    sync.Mutex        // guards what follows, and the files
	files map[string][]byte // what the directory should have
	torn  bool              // writes do not arrive
	away  bool              // hidden
}

// write replaces a file in one atomic step, as a directory source asks for. It
// does nothing while the directory is torn or hidden; mend makes up for it.
func (d *directory) write(name string, content []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[name] = content
	if d.torn {
		return nil
	}
	return d.replace(d.path, name)
}

func (d *directory) replace(path, name string) error {
	temporary := filepath.Join(path, "."+name)
	if err := os.WriteFile(temporary, d.files[name], 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(path, name))
}

// tear is a write that fails half-way, in place, because the disk is full:
// half of the file is there, and nothing is written until mend.
func (d *directory) tear(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.torn = true
	content := d.files[name]
	return os.WriteFile(filepath.Join(d.path, name), content[:len(content)/2], 0o600)
}

// mend ends what tear began.
func (d *directory) mend() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.torn = false
	for name := range d.files {
		if err := d.replace(d.path, name); err != nil {
			return err
		}
	}
	return nil
}

// hide takes the whole directory away until show, as a volume that is not
// mounted yet.
func (d *directory) hide() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.torn, d.away = true, true
	return os.Rename(d.path, d.path+".hidden")
}

// show ends what hide began: the directory is there at once and whole.
func (d *directory) show() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.torn, d.away = false, false
	for name := range d.files {
		if err := d.replace(d.path+".hidden", name); err != nil {
			return err
		}
	}
	return os.Rename(d.path+".hidden", d.path)
}

// hidden reports whether the directory is away.
func (d *directory) hidden() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.away
}
