package pgtemp

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// maxSocketPath is how long the path of a unix socket may be: sun_path has 104
// bytes on macOS and BSD, 108 on Linux, with a closing zero.
const maxSocketPath = 103

// sharedMemoryNeeded is how much must be free in /dev/shm for data to be kept
// there: containers often have 64 MB, and a full one crashes the server.
const sharedMemoryNeeded = 1 << 30

// makeFolders makes the folder of the socket and the data folder, both owned
// by owner and closed to others.
func makeFolders(owner *account, durable bool) (run, data string, err error) {
	if run, err = makeFolder(runParent(owner), owner); err != nil {
		return "", "", err
	}
	if data, err = makeFolder(dataParent(owner, durable), owner); err != nil {
		return "", "", errors.Join(err, os.Remove(run))
	}
	return run, data, nil
}

func makeFolder(parent string, owner *account) (string, error) {
	folder, err := os.MkdirTemp(parent, "pgtemp-")
	if err != nil {
		return "", fmt.Errorf("make temporary folder: %w", err)
	}
	if owner != nil {
		if err := os.Chown(folder, int(owner.uid), int(owner.gid)); err != nil {
			return "", errors.Join(fmt.Errorf("give folder to user %s: %w", owner.name, err), os.Remove(folder))
		}
	}
	return folder, nil
}

// runParent returns a temporary folder whose path leaves room for a socket's.
func runParent(owner *account) string {
	longest := filepath.Join(os.TempDir(), "pgtemp-4294967295", ".s.PGSQL.65535")
	if len(longest) <= maxSocketPath && reachable(os.TempDir(), owner) {
		return os.TempDir()
	}
	return "/tmp"
}

func dataParent(owner *account, durable bool) string {
	switch {
	case !durable && freeSharedMemory() >= sharedMemoryNeeded:
		return sharedMemory
	case durable && isFolder("/var/tmp"): // on disk, where /tmp may be in memory
		return "/var/tmp"
	case reachable(os.TempDir(), owner):
		return os.TempDir()
	default:
		return "/tmp"
	}
}

// reachable reports whether the account, which is nil for the user of this
// process, may enter a folder and all folders above it.
func reachable(folder string, a *account) bool {
	if a == nil {
		return true
	}
	folder, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return false
	}
	for {
		info, err := os.Stat(folder)
		if err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return true
		}
		folder = parent
	}
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
