package pgtemp

import (
	"context"
	"sync"
	"testing"
	"time"
)

// cleanupLimit is how long dropping a database may take.
const cleanupLimit = 30 * time.Second

// Database creates a database for one test and returns its URL; it is dropped
// when the test ends, whoever is connected. Parallel tests may call it.
//
// The setup is SQL, any number of statements in each string, such as the
// schema of the application. It is run once for each distinct setup; further
// databases are clones, which take about 20 ms.
func (s *Server) Database(t testing.TB, setup ...string) string {
	t.Helper()
	template, err := s.template(t.Context(), setup)
	if err != nil {
		t.Fatalf("pgtemp: %v", err)
	}
	name, err := s.CreateDatabase(t.Context(), template)
	if err != nil {
		t.Fatalf("pgtemp: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupLimit)
		defer cancel()
		if !s.running() {
			return // the database goes with the server
		}
		if err := s.DropDatabase(ctx, name); err != nil {
			t.Logf("pgtemp: %v", err)
		}
	})
	return s.URLFor(name)
}

func (s *Server) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process != nil && !s.process.ended(0)
}

// shared is the server of Shared. It stops with the process, which is why
// nobody needs to stop it.
var shared = sync.OnceValues(func() (*Server, error) { return Start(context.Background(), nil) })

// Shared returns a server that all tests of the process share, started with
// default Options when it is first asked for. It ends with the process; a test
// that stops or halts a server starts one of its own.
func Shared(t testing.TB) *Server {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatalf("pgtemp: %v", err)
	}
	return s
}
