package dir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxReads bounds the reads of a directory that keeps changing.
const maxReads = 10

// entry is what was read of one file or group directory. It is immutable.
type entry struct {
	path  string // below the directory's path as the user gave it
	group string // "" for the files that all groups share
	isDir bool   // a group's directory: it makes the group, even without files
	data  []byte // a file's content; nil if err is not empty
	err   string // why it could not be read, and what to do
}

func (e entry) equal(other entry) bool {
	return e.path == other.path && e.group == other.group && e.isDir == other.isDir &&
		e.err == other.err && bytes.Equal(e.data, other.data)
}

// scan reads the directory as it was at one moment. The error is about the
// directory itself; a file that cannot be read is an entry that says so.
func scan(root string, grouping Grouping) ([]entry, error) {
	entries, err := settle(func() ([]entry, error) { return read(root, grouping) })
	if errors.Is(err, errUnsettled) {
		return nil, Error{File: root, Text: fmt.Sprintf("changed during each of %d reads; replace files by rename", maxReads)}
	}
	return entries, err
}

var errUnsettled = errors.New("no two reads agree")

// settle reads until two reads in a row agree, so that what it returns was all
// there at one moment: between those two. A change in the middle of a read,
// such as the swap of a ConfigMap, cannot mix old files with new ones, unless
// the same change is undone and done again in the middle of the next read.
func settle(read func() ([]entry, error)) ([]entry, error) {
	var last []entry
	for i := range maxReads {
		next, err := read()
		if err != nil {
			return nil, err
		}
		if i > 0 && slices.EqualFunc(last, next, entry.equal) {
			return next, nil
		}
		last = next
	}
	return nil, errUnsettled
}

// read reads the directory once, in the order of names.
func read(root string, grouping Grouping) ([]entry, error) {
	list, err := os.ReadDir(root)
	if err != nil {
		return nil, Error{File: root, Text: reason(err) + "; name a directory that can be read"}
	}
	entries := readFiles(root, "", list)
	for _, group := range groupDirs(root, grouping, list) {
		path := filepath.Join(root, group)
		dir := entry{path: path, group: group, isDir: true}
		list, err := os.ReadDir(path)
		if err != nil {
			dir.err = reason(err) + "; make it readable or remove it"
		}
		entries = append(entries, dir)
		entries = append(entries, readFiles(path, group, list)...)
	}
	return entries, nil
}

// groupDirs returns the names of the subdirectories that are node groups.
func groupDirs(root string, grouping Grouping, list []fs.DirEntry) []string {
	if grouping == All {
		return nil
	}
	var groups []string
	for _, d := range list {
		// Stat, not d.IsDir: a ConfigMap shows directories as symbolic links.
		info, err := os.Stat(filepath.Join(root, d.Name()))
		if err == nil && info.IsDir() && !hidden(d.Name()) {
			groups = append(groups, d.Name())
		}
	}
	return groups
}

func readFiles(path, group string, list []fs.DirEntry) []entry {
	var entries []entry
	for _, d := range list {
		if !isConfig(d.Name()) {
			continue
		}
		file := entry{path: filepath.Join(path, d.Name()), group: group}
		info, err := os.Stat(file.path)
		if err == nil {
			file.data, err = readFile(file.path, info)
		}
		if err != nil {
			file.err = reason(err) + "; make it readable or remove it"
		}
		entries = append(entries, file)
	}
	return entries
}

// readFile reads no more than shows that the file is too large, which the
// parser reports, and opens regular files only: a named pipe would block.
func readFile(path string, info fs.FileInfo) ([]byte, error) {
	switch {
	case info.IsDir(): // what a bind mount of a file that is missing makes
		return nil, errors.New("a directory in place of a file")
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileSize+1))
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// isConfig reports whether a file is read, by its name.
func isConfig(name string) bool {
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		return !hidden(name)
	default:
		return false
	}
}

// reason is the error without the operation and the path, which a message has
// in its file already.
func reason(err error) string {
	if e, ok := errors.AsType[Error](err); ok {
		return e.Text
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err.Error()
	}
	return err.Error()
}
