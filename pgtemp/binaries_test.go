package pgtemp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeServer makes programs that name a version and can do no more.
func fakeServer(t *testing.T, dir string, version string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"postgres", "initdb"} {
		script := fmt.Sprintf("#!/bin/sh\necho '%s (PostgreSQL) %s (Fake)'\n", program, version)
		if err := os.WriteFile(filepath.Join(dir, program), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// bareSystem is a system on which nothing is installed.
func bareSystem(t *testing.T) {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
	t.Setenv(envBinDir, "")
	t.Setenv(envMajor, "")
}

func TestSearchOrder(t *testing.T) {
	bareSystem(t)
	root := t.TempDir()
	usual := []string{filepath.Join(root, "usr/lib/*/bin"), filepath.Join(root, "opt/postgresql@*/bin")}
	find := func(major int) string {
		t.Helper()
		s := &search{major: major, folders: usual}
		bin, err := s.find(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return bin.dir
	}

	fakeServer(t, filepath.Join(root, "usr/lib/9/bin"), "9.6.24")
	eleven := fakeServer(t, filepath.Join(root, "usr/lib/11/bin"), "11.22")
	fourteen := fakeServer(t, filepath.Join(root, "usr/lib/14/bin"), "14.1")
	if got := find(0); got != fourteen {
		t.Errorf("took %s, want the only one that is new enough, %s", got, fourteen)
	}
	eighteen := fakeServer(t, filepath.Join(root, "opt/postgresql@18/bin"), "18beta1")
	if got := find(0); got != eighteen {
		t.Errorf("took %s of the usual folders, want the newest, %s", got, eighteen)
	}
	inPath := fakeServer(t, t.TempDir(), "16.2")
	t.Setenv("PATH", inPath+string(os.PathListSeparator)+os.Getenv("PATH"))
	if got := find(0); got != inPath {
		t.Errorf("took %s, want the one in the PATH, %s", got, inPath)
	}
	if got := find(14); got != fourteen {
		t.Errorf("took %s for major 14, want %s", got, fourteen)
	}
	named := fakeServer(t, t.TempDir(), "15.0")
	t.Setenv(envBinDir, named)
	if got := find(0); got != named {
		t.Errorf("took %s, want the one in the environment, %s", got, named)
	}
	if got := find(18); got != eighteen {
		t.Errorf("took %s for major 18, want %s", got, eighteen)
	}
	t.Setenv(envBinDir, eleven)
	if got := find(0); got != inPath {
		t.Errorf("took %s where the environment names one that is too old, want %s", got, inPath)
	}
}

func TestSearchAsksPgConfig(t *testing.T) {
	bareSystem(t)
	dir := fakeServer(t, t.TempDir(), "17.3")
	script := "#!/bin/sh\n[ \"$1\" = --bindir ] && echo " + dir + "\n"
	if err := os.WriteFile(filepath.Join(os.Getenv("PATH"), "pg_config"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	bin, err := (&search{}).find(t.Context())
	if err != nil || bin != (binaries{dir, 17}) {
		t.Errorf("got %v, %v", bin, err)
	}
}

func TestSearchInstallsWhatItDoesNotFind(t *testing.T) {
	bareSystem(t)
	dir := fakeServer(t, t.TempDir(), "13.9")
	s := &search{major: 13, install: func(_ context.Context, major int) (string, error) {
		if major != 13 {
			t.Errorf("major %d was installed", major)
		}
		return dir, nil
	}}
	bin, err := s.find(t.Context())
	if err != nil || bin != (binaries{dir, 13}) {
		t.Errorf("got %v, %v", bin, err)
	}
}

func TestNotFound(t *testing.T) {
	bareSystem(t)
	_, err := (&search{}).find(t.Context())
	wantError(t, err, ErrNotFound, "Install it", envBinDir)

	old := fakeServer(t, filepath.Join(t.TempDir(), "12/bin"), "12.4")
	_, err = (&search{folders: []string{old}, major: 14}).find(t.Context())
	wantError(t, err, ErrNotFound, "of major version 14", "passed over: "+old+" (PostgreSQL 12)", "14")

	noNpm := errors.New("npm is not in the PATH")
	s := &search{install: func(context.Context, int) (string, error) { return "", noNpm }}
	_, err = s.find(t.Context())
	wantError(t, err, ErrNotFound, "have npm fetch it", noNpm.Error())
}

func TestGivenBinDirMustBeRight(t *testing.T) {
	bareSystem(t)
	fourteen := fakeServer(t, t.TempDir(), "14.1")
	_, err := Start(t.Context(), &Options{BinDir: fourteen, Major: 15})
	wantError(t, err, nil, "Options.BinDir", "holds PostgreSQL 14 where 15 is wanted")

	empty := t.TempDir()
	_, err = Start(t.Context(), &Options{BinDir: empty})
	wantError(t, err, nil, "Options.BinDir", empty+" holds no initdb")

	t.Setenv(envBinDir, empty)
	_, err = Start(t.Context(), nil)
	wantError(t, err, nil, envBinDir, empty+" holds no initdb")
}

func TestMajorMustBeRight(t *testing.T) {
	bareSystem(t)
	_, err := Start(t.Context(), &Options{Major: 12})
	wantError(t, err, nil, "PostgreSQL 12 is too old")
	t.Setenv(envMajor, "newest")
	_, err = Start(t.Context(), nil)
	wantError(t, err, nil, envMajor, `"newest"`)
}

func TestSystemNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "os-release")
	content := "NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=22\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(systemNames(file)); got != "[linuxmint ubuntu debian]" {
		t.Errorf("got %s", got)
	}
}

func wantError(t *testing.T, err, is error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("not %v: %v", is, err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is missing in: %v", text, err)
		}
	}
}

// A context that ended is told as such, not as a server that is missing.
func TestStartWithEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
}
