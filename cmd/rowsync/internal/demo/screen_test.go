package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func author(id int64, name string) (*int64, *Person) { return &id, &Person{ID: id, Name: name} }

func samplePosts() []*Post {
	jim, person := author(3, "Jim")
	return []*Post{
		{ID: 9, Title: "Late letters", AuthorID: jim, Author: person, Tags: []*Tag{{ID: 1, Name: "go"}, {ID: 2, Name: "sql"}}},
		{ID: 8, Title: "A title that is longer than its column", Tags: []*Tag{{ID: 1, Name: "go"}}},
		{ID: 7, Title: "Not \x1b[2J nice", AuthorID: jim, Author: person},
		{ID: 6, Title: "Cold tea"},
	}
}

func sampleFrame() *frame {
	r := reading{transactions: 340, changes: 1021, kills: 2, taken: taken{events: 990, resets: 1}}
	for range 100 {
		r.taken.latency.add(700 * time.Microsecond)
	}
	return &frame{
		title: "PostgreSQL 18.1, 4 writers at 200 changes/s, seed 7", elapsed: 65 * time.Second,
		join: "psql -h /tmp/pgtemp-1 -p 5432 -U postgres db1", posts: samplePosts(), total: &r,
		now:  rates{events: 187.3, statements: 160, rowsPerEvent: 1.066, latency: &histogram{}},
		logs: []string{"msg=\"a log line\""},
	}
}

const golden = `rowsync demo 01:05  PostgreSQL 18.1, 4 writers at 200 changes/s, seed 7
held             4 posts, 1 authors, 2 tags in 3 places
committed        1021 changes, 340 transactions
events           187/s, 1.07 rows read per event, 160 statements/s
resets           1, reader killed 2 times
commit to synced p50 -, p99 - in the last 5 s
                 p50 0.70 ms, p99 0.70 ms since the start

    post  author         title                    tags
       9  Jim            Late letters             go, sql
       8  -              A title that is longer … go
       …  and 2 more

msg="a log line"
join in: psql -h /tmp/pgtemp-1 -p 5432 -U postgres db1
then try: update people set name = upper(name);     Ctrl-C ends the demo`

// TestFrame shows what a picture looks like, and that it fits.
func TestFrame(t *testing.T) {
	f := sampleFrame()
	if got := text(f.rows(80, 16)); got != golden {
		t.Errorf("the frame is\n%s\nand not\n%s", got, golden)
	}
	if got := text(f.rows(80, 30)); !strings.Contains(got, "Cold tea") || strings.Contains(got, "more") {
		t.Errorf("a high terminal does not show all:\n%s", got)
	}
	for height := 1; height < 40; height++ {
		for _, width := range []int{1, 20, 53, 54, 55, 80, 200} {
			used := 0
			for _, r := range f.rows(width, height) {
				used++
				if r.whole {
					used += (len(r.text) - 1) / width
				}
			}
			if used > height {
				t.Fatalf("%d lines on a terminal of %d × %d", used, width, height)
			}
		}
	}
}

func text(rows []row) string {
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = r.text
	}
	return strings.Join(lines, "\n")
}

func TestPaint(t *testing.T) {
	f := sampleFrame()
	f.changed = map[int64]time.Time{9: {}}
	if got := f.paint(80, 30); strings.Contains(got, "\x1b[3") {
		t.Errorf("colours without being asked for: %q", got)
	}
	f.color = true
	got := f.paint(80, 30)
	if !strings.Contains(got, green+"       9  Jim") || strings.Contains(got, green+"       8") {
		t.Errorf("post 9, and only it, is not marked: %q", got)
	}
	if strings.Contains(got, "\x1b[2J") {
		t.Error("what is in a row reaches the terminal as a command")
	}
	if !strings.HasPrefix(got, home) || !strings.HasSuffix(got, clearBelow) {
		t.Errorf("the picture is not drawn over the last one: %q", got)
	}
}

// TestMark changes one of the posts: only it is marked, and not for long.
func TestMark(t *testing.T) {
	s := &screen{out: &bytes.Buffer{}, changed: map[int64]time.Time{}}
	posts, now := samplePosts(), time.Now()
	s.mark(posts, now)
	if len(s.changed) != 0 {
		t.Errorf("the first picture marks %v", s.changed)
	}
	other := *posts[1]
	s.mark([]*Post{posts[0], &other, posts[2]}, now)
	if _, ok := s.changed[other.ID]; !ok || len(s.changed) != 1 {
		t.Errorf("marked: %v, want %d alone", s.changed, other.ID)
	}
	s.mark([]*Post{posts[0], &other, posts[2]}, now.Add(2*flash))
	if len(s.changed) != 0 {
		t.Errorf("still marked: %v", s.changed)
	}
}

func TestTail(t *testing.T) {
	logs := &tail{limit: 2, keep: time.Minute}
	for _, l := range []string{"one\n", "two\n", "three\n"} {
		if _, err := logs.Write([]byte(l)); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(logs.lines(time.Now()), ","); got != "two,three" {
		t.Errorf("kept %q", got)
	}
	if got := logs.lines(time.Now().Add(2 * time.Minute)); len(got) != 0 {
		t.Errorf("kept too long: %q", got)
	}
}
