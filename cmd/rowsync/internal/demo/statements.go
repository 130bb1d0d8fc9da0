package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// The most rows of each table, so that the demo may run for hours. Writers
// that insert at the same moment may go beyond by a few.
const (
	mostPosts  = 200
	mostPeople = 20
	mostTags   = 24
)

// statement is something that a writer may do.
type statement struct {
	weight int
	sql    string
	args   func(r *rand.Rand) []any
}

// pick stands for the id of a row that a random number chooses, or null.
func pick(table, number string) string {
	return fmt.Sprintf("(select id from %s order by hashint8extended(id, (%s)::bigint), id limit 1)", table, number)
}

// pickLink is the same for a row of posts_tags.
func pickLink(number string) string {
	return fmt.Sprintf("(select post_id, tag_id from posts_tags order by hashint8extended(post_id * 1000 + tag_id, (%s)::bigint), post_id, tag_id limit 1)", number)
}

// room is a condition that is true while a table may grow.
func room(table string, most int) string {
	return fmt.Sprintf("(select count(*) from %s) < %d", table, most)
}

var insertPosts = "insert into posts (title, author_id) select $1::text, " + pick("people", "$2::bigint + n") +
	" from generate_series(1, $3::int) n where " + room("posts", mostPosts)

var statements = []statement{
	{6, insertPosts,
		func(r *rand.Rand) []any { return []any{title(r), number(r), 1 + r.IntN(3)} }},
	{14, "with new as (" + insertPosts + " returning id) insert into posts_tags select new.id, t from new, generate_series(1, $4::int) n, lateral " +
		pick("tags", "$2::bigint + new.id + n") + " t(t) where t is not null on conflict do nothing",
		func(r *rand.Rand) []any { return []any{title(r), number(r), 1 + r.IntN(2), 1 + r.IntN(4)} }},
	{5, "insert into people (name) select $1::text where " + room("people", mostPeople),
		func(r *rand.Rand) []any { return []any{name(r)} }},
	{4, "insert into tags (name) select $1::text where not exists (select from tags where name = $1) and " + room("tags", mostTags),
		func(r *rand.Rand) []any { return []any{topic(r)} }},

	// Rows change.
	{20, "update posts set title = $1 where id = " + pick("posts", "$2"),
		func(r *rand.Rand) []any { return []any{title(r), number(r)} }},
	{4, "update people set name = $1 where id = " + pick("people", "$2"),
		func(r *rand.Rand) []any { return []any{name(r), number(r)} }},
	{4, "update tags set name = $1 where not exists (select from tags where name = $1) and id = " + pick("tags", "$2"),
		func(r *rand.Rand) []any { return []any{topic(r), number(r)} }},

	// Rows move from one parent to another, or to none.
	{12, "update posts set author_id = " + pick("people", "$1") + " where id = " + pick("posts", "$2"), numbers(2)},
	{2, "update posts set author_id = null where id = " + pick("posts", "$1"), numbers(1)},

	// Rows are joined, and no longer.
	{26, "insert into posts_tags select p, t from " + pick("posts", "$1") + " p(p), " + pick("tags", "$2") +
		" t(t) on conflict do nothing", numbers(2)},
	{10, "delete from posts_tags where (post_id, tag_id) = " + pickLink("$1"), numbers(1)},
	{4, "update posts_tags set tag_id = " + pick("tags", "$2") + " where (post_id, tag_id) = " + pickLink("$1"), numbers(2)},

	// Many rows change at once.
	{2, "update posts set title = $1 || ' ' || id where id % 5 = $2::bigint % 5",
		func(r *rand.Rand) []any { return []any{title(r), number(r)} }},
	{1, "update posts set author_id = " + pick("people", "$1") + " where id % 7 = $2::bigint % 7", numbers(2)},
	{1, "insert into posts_tags select id, t from posts, " + pick("tags", "$1") +
		" t(t) where id % 6 = $2::bigint % 6 on conflict do nothing", numbers(2)},

	// Rows go, and take others with them.
	{8, "delete from posts where id = " + pick("posts", "$1"), numbers(1)},
	{1, "delete from posts where id % 9 = $1::bigint % 9", numbers(1)},
	{1, "delete from people where id = " + pick("people", "$1"), numbers(1)},
	{1, "delete from tags where id = " + pick("tags", "$1"), numbers(1)},
}

// truncations are the lists of tables that are truncated, alone in a
// transaction and rarely.
var truncations = [][]string{{"posts_tags"}, {"posts_tags"}, {"posts", "posts_tags"}}

// oneInTruncates is how many transactions there are for each that truncates.
const oneInTruncates = 800

// totalWeight is the sum of the weights of statements.
var totalWeight = func() int {
	sum := 0
	for _, s := range statements {
		sum += s.weight
	}
	return sum
}()

// choose returns a statement, each as often as its weight says.
func choose(r *rand.Rand) statement {
	at := r.IntN(totalWeight)
	for _, s := range statements {
		if at -= s.weight; at < 0 {
			return s
		}
	}
	panic("unreachable: the weights add up")
}

func number(r *rand.Rand) int64 { return int64(r.Uint32()) }

func numbers(n int) func(*rand.Rand) []any {
	return func(r *rand.Rand) []any {
		args := make([]any, n)
		for i := range args {
			args[i] = number(r)
		}
		return args
	}
}

var (
	adjectives = strings.Fields("quiet late small northern old bright plain long hidden early slow open cold sudden careful")
	nouns      = strings.Fields("rivers letters engines gardens tables bridges numbers winters harbours windows queues mountains trains lamps keys")
	topics     = strings.Fields("go sql news howto rust linux cats music tea maps games travel books art law chess film food health home jobs math org py robots sport toys web work yoga")
	names      = strings.Fields("Ada Barbara Edgar Grace Jim Leslie Margaret Michael Frances Donald Radia Ken Hedy Alan Karen Niklaus")
)

func of(r *rand.Rand, words []string) string { return words[r.IntN(len(words))] }

func title(r *rand.Rand) string {
	adjective := of(r, adjectives)
	return fmt.Sprintf("%s%s %s", strings.ToUpper(adjective[:1]), adjective[1:], of(r, nouns))
}

func topic(r *rand.Rand) string { return of(r, topics) }

func name(r *rand.Rand) string {
	return fmt.Sprintf("%s %c.", of(r, names), 'A'+rune(r.IntN(26)))
}
