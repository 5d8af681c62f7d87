package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The images that the tests run, made of this checkout. Their host has no
// registry behind it: they are loaded into the cluster's nodes.
const (
	releaseImage = "xdsready.test/xdsready"         // what users get
	testingImage = "xdsready.test/xdsready-testing" // with the flags that take the gate away
	envoyImage   = "xdsready.test/envoy"
	partsImage   = "xdsready.test/parts" // ./parts
	imageTag     = "e2e"
)

// loadImages builds the programs and loads an image of each into the cluster.
func loadImages() error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "xdsready-images-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	for _, program := range []struct {
		image, name, pkg string
		flags            []string
	}{
		{image: releaseImage, name: "xdsready", pkg: "./cmd/xdsready"},
		{image: testingImage, name: "xdsready-testing", pkg: "./cmd/xdsready", flags: []string{"-tags", "xdsready_testing"}},
		{image: partsImage, name: "parts", pkg: "./test/cluster/parts"},
	} {
		binary := filepath.Join(dir, program.name)
		arguments := append([]string{"build", "-trimpath", "-o", binary}, program.flags...)
		build := exec.Command("go", append(arguments, program.pkg)...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if err := run(root, build); err != nil {
			return err
		}
		if err := loadImage(root, dir, program.image, binary); err != nil {
			return err
		}
	}
	envoy := os.Getenv("ENVOY")
	if envoy == "" {
		envoy = filepath.Join(root, "bin", "envoy")
	}
	return loadImage(root, dir, envoyImage, envoy)
}

// loadImage loads an image of one program: into our cluster, or into another by
// way of the engine that IMAGE_LOAD takes images from.
func loadImage(root, dir, image, binary string) error {
	ref := image + ":" + imageTag
	load := os.Getenv("IMAGE_LOAD")
	if load == "" {
		return run(root, exec.Command("hack/cluster", "image", ref, binary))
	}
	archive := filepath.Join(dir, "image.tar")
	for _, command := range []*exec.Cmd{
		exec.Command("hack/cluster", "archive", archive, ref, binary),
		exec.Command("docker", "load", "--input", archive),
		exec.Command("sh", "-c", load+" "+ref),
	} {
		if err := run(root, command); err != nil {
			return err
		}
	}
	return nil
}

func run(dir string, command *exec.Cmd) error {
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	return nil
}
