package model

import "strings"

// irregularPlurals are the plurals that no rule of plural finds.
var irregularPlurals = map[string]string{
	"man": "men", "woman": "women", "ox": "oxen", "mouse": "mice", "louse": "lice",
	"goose": "geese", "foot": "feet", "tooth": "teeth", "quiz": "quizzes",
	"index": "indices", "matrix": "matrices", "vertex": "vertices", "appendix": "appendices",
	"criterion": "criteria", "phenomenon": "phenomena", "datum": "data", "medium": "media",
	"hero": "heroes", "echo": "echoes", "veto": "vetoes", "potato": "potatoes", "tomato": "tomatoes",
	"half": "halves", "leaf": "leaves", "loaf": "loaves", "shelf": "shelves", "thief": "thieves",
	"calf": "calves", "wolf": "wolves", "self": "selves", "knife": "knives", "life": "lives", "wife": "wives",
	"epoch": "epochs", "stomach": "stomachs", "monarch": "monarchs",
	"alias": "aliases", "atlas": "atlases", "bias": "biases", "canvas": "canvases", "gas": "gases",
	"iris": "irises", "lens": "lenses", "menus": "menus",
}

// irregularEndings are irregular plurals that also end longer words, as in
// grandchild and salesperson.
var irregularEndings = []struct{ singular, plural string }{
	{"person", "people"},
	{"child", "children"},
}

// invariable words have no plural of their own, or are plurals already.
var invariable = wordSet(`
	aircraft audio bison children chassis data deer equipment feedback feet fish
	furniture geese hardware headquarters information jewelry luggage machinery
	means media men metadata mice middleware money moose music news offspring
	oxen people police rice salmon series sheep shrimp software species spacecraft
	swine teeth traffic trout women`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		set[w] = true
	}
	return set
}

// plural returns the plural of an English noun in small letters. A word that
// looks like a plural, such as settings, stays as it is.
func plural(word string) string {
	if word == "" || invariable[word] {
		return word
	}
	if p, ok := irregularPlurals[word]; ok {
		return p
	}
	for _, e := range irregularEndings {
		if stem, ok := strings.CutSuffix(word, e.singular); ok {
			return stem + e.plural
		}
	}
	switch {
	case hasAnySuffix(word, "ss", "us", "x", "z", "ch", "sh"):
		return word + "es"
	case strings.HasSuffix(word, "is"):
		return word[:len(word)-2] + "es"
	case strings.HasSuffix(word, "s"):
		return word
	case strings.HasSuffix(word, "y") && !hasAnySuffix(word, "ay", "ey", "iy", "oy", "uy"):
		return word[:len(word)-1] + "ies"
	}
	return word + "s"
}

func hasAnySuffix(word string, suffixes ...string) bool {
	for _, s := range suffixes {
		if strings.HasSuffix(word, s) {
			return true
		}
	}
	return false
}
