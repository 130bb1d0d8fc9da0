package model

import (
	"go/token"
	"strings"
	"testing"
)

func TestSnake(t *testing.T) {
	for name, want := range map[string]string{
		"ID": "id", "IDs": "ids", "PersonID": "person_id", "UserIDs": "user_ids", "UserIDsSeen": "user_ids_seen",
		"HTTPServer": "http_server", "ServerHTTP": "server_http", "APIKeys": "api_keys", "URLs": "urls",
		"OAuth2Token": "oauth2_token", "OAuthToken": "oauth_token", "UserOAuth": "user_oauth", "FOAuthor": "fo_author",
		"IPv4": "ipv4", "IPv4Address": "ipv4_address", "MyIPv6": "my_ipv6", "GraphQLQuery": "graphql_query",
		"MySQL": "mysql", "MySQLs": "my_sqls", "PostgreSQLVersion": "postgresql_version",
		"X509Cert": "x509_cert", "SHA256Sum": "sha256_sum", "HTTP2Server": "http2_server", "Line1": "line1", "A1B2": "a1_b2",
		"Title": "title", "CreatedAt": "created_at", "A": "a", "AB": "ab", "ABc": "a_bc", "PostIs": "post_is", "DNSServer": "dns_server",
		"Foo_Bar": "foo_bar", "Foo_": "foo_", "Ärger": "ärger", "GroßeÄnderung": "große_änderung", "T名前": "t名前",
	} {
		if got := snake(name); got != want {
			t.Errorf("snake(%q) = %q, want %q", name, got, want)
		}
	}
}

// pgx finds the column of a field by taking the underscores out of both names.
func FuzzSnakeIsFoundByPgx(f *testing.F) {
	for _, name := range []string{"ID", "UserIDs", "OAuth2Token", "Foo_Bar", "MySQLIPv4", "Ärger"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		plain := func(s string) string { return strings.ReplaceAll(s, "_", "") }
		// Not every letter is found again: EqualFold does not know that ẞ and ß,
		// or İ and i, are one.
		if !token.IsIdentifier(name) || !strings.EqualFold(strings.ToLower(plain(name)), plain(name)) {
			t.Skip()
		}
		if got := snake(name); !strings.EqualFold(plain(got), plain(name)) {
			t.Errorf("snake(%q) = %q", name, got)
		}
	})
}

func TestDefaultTable(t *testing.T) {
	for name, want := range map[string]string{
		"Post": "posts", "Category": "categories", "Person": "people", "BlogPost": "blog_posts", "Address": "addresses",
		"Box": "boxes", "Day": "days", "Child": "children", "News": "news", "Series": "series", "Sheep": "sheep",
		"Status": "statuses", "Analysis": "analyses", "Crisis": "crises", "Bus": "buses", "Church": "churches", "Dish": "dishes",
		"Buzz": "buzzes", "Quiz": "quizzes", "Epoch": "epochs", "Alias": "aliases", "Canvas": "canvases", "Lens": "lenses",
		"Index": "indices", "Matrix": "matrices", "Photo": "photos", "Hero": "heroes", "Query": "queries", "Key": "keys",
		"Knife": "knives", "Proof": "proofs", "Shelf": "shelves", "Man": "men", "Woman": "women", "Human": "humans",
		"SalesPerson": "sales_people", "Salesperson": "salespeople", "GrandChild": "grand_children", "Grandchild": "grandchildren",
		"Metadata": "metadata", "UserMedia": "user_media", "UserData": "user_data",
		// Plurals already.
		"Posts": "posts", "Settings": "settings", "UserSettings": "user_settings", "Categories": "categories",
		"People": "people", "Children": "children", "Addresses": "addresses",
		// Not only letters, type arguments.
		"Address2": "address2s", "HTTPServer": "http_servers", "UserID": "user_ids", "Page[github.com/rowsync/rowsync.Post]": "pages",
		"": "",
	} {
		if got := defaultTable(name); got != want {
			t.Errorf("defaultTable(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestForeignKey(t *testing.T) {
	for _, c := range []struct{ prefix, column, want string }{
		{"author", "id", "author_id"},
		{"author", "tenant_id", "author_tenant_id"},
		{"person", "person_id", "person_id"},
		{"person", "personal_id", "person_personal_id"},
	} {
		if got := foreignKey(c.prefix, c.column); got != c.want {
			t.Errorf("foreignKey(%q, %q) = %q, want %q", c.prefix, c.column, got, c.want)
		}
	}
}
