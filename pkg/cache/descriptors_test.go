package cache

import (
	"errors"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// generated are the messages of the Envoy and xds modules that the program is
// built with, linked or not, and the version of the Envoy module.
var generated = sync.OnceValues(func() (map[protoreflect.FullName]protoreflect.MessageDescriptor, string) {
	command := exec.Command("go", "list", "-m", "-f", "{{.Version}} {{.Dir}}",
		"github.com/envoyproxy/go-control-plane/envoy", "github.com/cncf/xds/go")
	out, err := command.Output()
	if err != nil {
		panic(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	var version string
	for line := range strings.Lines(string(out)) {
		moduleVersion, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		if version == "" {
			version = moduleVersion
		}
		if err := readDescriptors(dir, set); err != nil {
			panic(err)
		}
	}
	files, err := protodesc.FileOptions{AllowUnresolvable: true}.NewFiles(set)
	if err != nil {
		panic(err)
	}
	messages := make(map[protoreflect.FullName]protoreflect.MessageDescriptor)
	files.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		collect(f.Messages(), messages)
		return true
	})
	return messages, version
})

func collect(from protoreflect.MessageDescriptors, into map[protoreflect.FullName]protoreflect.MessageDescriptor) {
	for i := range from.Len() {
		into[from.Get(i).FullName()] = from.Get(i)
		collect(from.Get(i).Messages(), into)
	}
}

// readDescriptors adds the file descriptors of a module's generated code to
// set. protoc-gen-go writes each into one literal, of a string or of bytes.
func readDescriptors(dir string, set *descriptorpb.FileDescriptorSet) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".pb.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		start := strings.Index(string(source), "_rawDesc = ")
		if start < 0 {
			return nil
		}
		raw, err := literal(source[start+len("_rawDesc = "):])
		if err != nil {
			return err
		}
		file := &descriptorpb.FileDescriptorProto{}
		set.File = append(set.File, file)
		return proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(raw, file)
	})
}

// literal returns the bytes of the Go expression that source begins with.
func literal(source []byte) (raw []byte, err error) {
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile("", -1, len(source)), source, nil, 0)
	for {
		switch _, tok, text := s.Scan(); tok {
		case token.STRING:
			part, err := strconv.Unquote(text)
			if err != nil {
				return nil, err
			}
			raw = append(raw, part...)
		case token.INT:
			part, err := strconv.ParseUint(text, 0, 8)
			if err != nil {
				return nil, err
			}
			raw = append(raw, byte(part))
		case token.SEMICOLON:
			return raw, nil
		case token.EOF:
			return nil, errors.New("the literal has no end")
		}
	}
}
