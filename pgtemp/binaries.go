package pgtemp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// The major versions that rowsync supports.
const (
	oldestMajor = 13
	newestMajor = 18
)

// Environment variables.
const (
	envBinDir = "ROWSYNC_PG_BINDIR"
	envMajor  = "ROWSYNC_PG_MAJOR"
)

// ErrNotFound is returned by [Start] when there is no PostgreSQL server on this
// system and none could be fetched. The error that wraps it says how to get one.
var ErrNotFound = errors.New("no PostgreSQL server found")

// binaries are the programs of a server.
type binaries struct {
	dir   string
	major int
}

// search is where to look for binaries.
type search struct {
	major   int      // 0: any
	owner   *account // must be able to run them
	folders []string // patterns of the usual folders
	install func(ctx context.Context, major int) (dir string, err error)

	passedOver []string // what was found and why it was not taken
}

// findBinaries finds what Options.BinDir describes.
func findBinaries(ctx context.Context, o *Options, owner *account) (binaries, error) {
	if o.BinDir != "" {
		return givenBinaries(ctx, "Options.BinDir", o.BinDir, o.Major)
	}
	s := &search{major: o.Major, owner: owner, folders: usualFolders}
	if !o.NoInstall {
		s.install = npmInstaller{log: o.Logger, owner: owner}.install
	}
	return s.find(ctx)
}

// givenBinaries takes a folder that the user names: anything wrong with it is
// an error, for to go on searching would hide it.
func givenBinaries(ctx context.Context, name, dir string, major int) (binaries, error) {
	bin, err := inspect(ctx, dir)
	if err != nil {
		return binaries{}, fmt.Errorf("%s: %w", name, err)
	}
	if major != 0 && bin.major != major {
		return binaries{}, fmt.Errorf("%s: %s holds PostgreSQL %d where %d is wanted", name, dir, bin.major, major)
	}
	return bin, nil
}

func (s *search) find(ctx context.Context) (binaries, error) {
	if dir := os.Getenv(envBinDir); dir != "" {
		bin, err := inspect(ctx, dir)
		if err != nil {
			return binaries{}, fmt.Errorf("environment variable %s: %w", envBinDir, err)
		}
		if s.accepts(bin) {
			return bin, nil
		}
	}
	for _, dir := range s.candidates(ctx) {
		if bin, err := inspect(ctx, dir); err == nil && s.accepts(bin) {
			return bin, nil
		}
	}
	if ctx.Err() != nil {
		// Nothing was asked for its version, so nothing is known to be missing.
		return binaries{}, fmt.Errorf("look for PostgreSQL: %w", context.Cause(ctx))
	}
	if s.install == nil {
		return binaries{}, s.notFound(nil)
	}
	dir, err := s.install(ctx, s.major)
	if err != nil {
		return binaries{}, s.notFound(err)
	}
	return inspect(ctx, dir)
}

// accepts reports whether found binaries will do, and notes why not.
func (s *search) accepts(bin binaries) bool {
	var reason string
	switch {
	case s.major != 0 && bin.major != s.major, bin.major < oldestMajor:
		reason = fmt.Sprintf("PostgreSQL %d", bin.major)
	case !reachable(bin.dir, s.owner):
		reason = "user " + s.owner.name + " can't get there"
	default:
		return true
	}
	if found := fmt.Sprintf("%s (%s)", bin.dir, reason); !slices.Contains(s.passedOver, found) {
		s.passedOver = append(s.passedOver, found)
	}
	return false
}

// usualFolders are where servers are installed that are not in the PATH.
var usualFolders = []string{
	"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                   // Red Hat, Fedora, SUSE, from postgresql.org
	"/usr/lib/postgresql*/bin",           // SUSE
	"/usr/libexec/postgresql*",           // Alpine
	"/usr/lib64/postgresql-*/bin",        // Gentoo
	"/opt/homebrew/opt/postgresql@*/bin", // Homebrew on Apple silicon
	"/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
	"/opt/local/lib/postgresql*/bin", // MacPorts
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/Library/PostgreSQL/*/bin", // EnterpriseDB on macOS
	"/opt/PostgreSQL/*/bin",     // EnterpriseDB on Linux
	"/usr/local/pgsql/bin",      // from source
	"/usr/bin",                  // Fedora, Arch, FreeBSD
	"/usr/local/bin",
}

// candidates lists the folders that may hold a server, best first.
func (s *search) candidates(ctx context.Context) []string {
	var dirs []string
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if program, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(program))
		}
	}
	var usual []string
	for _, pattern := range s.folders {
		found, _ := filepath.Glob(pattern) // fails for a malformed pattern only
		usual = append(usual, found...)
	}
	slices.SortStableFunc(usual, func(a, b string) int { return versionIn(b) - versionIn(a) })
	return append(dirs, usual...)
}

var versionNumber = regexp.MustCompile(`\d+`)

// versionIn returns the last number in a path, which is the major version in
// the usual folders; 0 if there is none.
func versionIn(path string) int {
	numbers := versionNumber.FindAllString(path, -1)
	if len(numbers) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(numbers[len(numbers)-1])
	return n
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// inspect asks the binaries in a folder for their version.
func inspect(ctx context.Context, dir string) (binaries, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return binaries{}, fmt.Errorf("%s holds no initdb: a folder with initdb and postgres is wanted", dir)
		}
		return binaries{}, err
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return binaries{}, fmt.Errorf("ask %s for its version: %w", filepath.Join(dir, "postgres"), err)
	}
	match := versionLine.FindSubmatch(out)
	if match == nil {
		return binaries{}, fmt.Errorf("%s names no version: %q", filepath.Join(dir, "postgres"), out)
	}
	major, err := strconv.Atoi(string(match[1]))
	if err != nil {
		return binaries{}, err
	}
	return binaries{dir: dir, major: major}, nil
}

// notFound explains that there is no server, and how to get one.
func (s *search) notFound(installing error) error {
	var text strings.Builder
	if s.major != 0 {
		fmt.Fprintf(&text, " of major version %d", s.major)
	}
	if len(s.passedOver) > 0 {
		fmt.Fprintf(&text, "; passed over: %s", strings.Join(s.passedOver, ", "))
	}
	fmt.Fprintf(&text, ". Install it (%s), or name a folder that holds postgres and initdb in %s", installHint(s.major), envBinDir)
	if installing == nil {
		return fmt.Errorf("%w%s", ErrNotFound, &text)
	}
	return fmt.Errorf("%w%s, or have npm fetch it: %w", ErrNotFound, &text, installing)
}

// installHint says how to install a server on this system.
func installHint(major int) string {
	version := major
	if version == 0 {
		version = newestMajor
	}
	if runtime.GOOS == "darwin" {
		return fmt.Sprintf("brew install postgresql@%d", version)
	}
	suffix := ""
	if major != 0 {
		suffix = "-" + strconv.Itoa(major)
	}
	hints := map[string]string{
		"debian": "apt-get install postgresql" + suffix,
		"fedora": "dnf install postgresql-server",
		"rhel":   "dnf install postgresql-server",
		"suse":   "zypper install postgresql-server",
		"alpine": fmt.Sprintf("apk add postgresql%d", version),
		"arch":   "pacman -S postgresql",
	}
	for _, system := range systemNames("/etc/os-release") {
		if hint, ok := hints[system]; ok {
			return hint
		}
	}
	return "Debian, Ubuntu: " + hints["debian"] + "; Fedora: " + hints["fedora"] + "; Alpine: " + hints["alpine"]
}

// systemNames returns the system's id and those it is like, from os-release.
func systemNames(file string) []string {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var names []string
	for line := range strings.Lines(string(content)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if name == "ID" || name == "ID_LIKE" {
			names = append(names, strings.Fields(strings.Trim(value, `"'`))...)
		}
	}
	return names
}
