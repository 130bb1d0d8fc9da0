package rowsync_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowsync/rowsync/model"
)

// forest is the models and tables of one case.
type forest struct {
	types      int // how many are in use
	models     [4]*model.Model
	keys       [4]keyKind // the primary keys
	references [4][2]reference
	joins      []joinTable
	// direct are the associations that through ones may lead through.
	direct []*model.Association
	icu    bool // collations of ICU exist
}

// keyKind says which columns identify a row.
type keyKind int

// The columns of each kind.
var keyKinds = [][]string{{"ki"}, {"kt"}, {"ku"}, {"ki", "kt"}}

func (k keyKind) columns(prefix string) []string {
	out := make([]string, len(keyKinds[k]))
	for i, c := range keyKinds[k] {
		out[i] = prefix + c
	}
	return out
}

// keyConstraints are the foreign keys that a reference may have; "" is none.
var keyConstraints = []string{
	"on delete cascade on update cascade",
	"",
	"on delete set null on update cascade",
	"on delete cascade",
	"on delete set null on update set null",
	"on update cascade",
}

// reference is what the columns of A or B refer to.
type reference struct {
	from, to   int
	prefix     string
	by         keyKind
	constraint string
	unique     bool
}

func (r reference) columns() []string { return r.by.columns(r.prefix) }

// joinTable has the keys of two rows, in columns that begin with l_ and r_.
type joinTable struct {
	name string
	ends [2]int
	by   [2]keyKind
	// key is its primary key: "pair", "own" or "" for none.
	key        string
	constraint string
}

var joinPrefixes = [2]string{"l_", "r_"}

// grow makes what was drawn of the models.
func grow(d drawn, icu bool) *forest {
	f := &forest{icu: icu, types: d.Types}
	for i, t := range species {
		f.keys[i] = keyKind(d.Keys[i])
		m := &model.Model{Type: t, Schema: "public", Table: forestTables[i], Columns: traits()}
		m.Key = columnsOfModel(m, f.keys[i].columns(""))
		f.models[i] = m
	}
	for i, r := range d.References {
		from, side := i%len(species), i/len(species)
		f.references[from][side] = reference{
			from: from, to: r.To % f.types, prefix: [...]string{"a_", "b_"}[side], by: keyKind(r.By),
			constraint: keyConstraints[r.Constraint], unique: r.Unique == 1,
		}
	}
	for i, j := range d.Joins {
		if len(keyKinds[j.LeftBy]) != len(keyKinds[j.RightBy]) {
			j.RightBy = j.LeftBy // Registry.Add wants as many columns on the one side as on the other
		}
		f.joins = append(f.joins, joinTable{
			name: fmt.Sprintf("join%d", i), ends: [2]int{j.Left % f.types, j.Right % f.types}, by: [2]keyKind{keyKind(j.LeftBy), keyKind(j.RightBy)},
			// Each side has a foreign key: that a target which a join row names
			// comes to exist later is not noticed, see docs/design.md.
			key: [...]string{"pair", "own", ""}[j.Key], constraint: [...]string{"on delete cascade on update cascade", "on delete cascade"}[j.OnUpdate],
		})
	}
	for _, l := range d.Links {
		f.link(l)
	}
	return f
}

func columnsOfModel(m *model.Model, names []string) []*model.Column {
	out := make([]*model.Column, len(names))
	for i, n := range names {
		out[i] = m.Column(n)
	}
	return out
}

// link adds an association, if there is room for it.
func (f *forest) link(l drawnLink) {
	var a *model.Association
	switch l.Kind % 11 {
	case 0, 1:
		a = f.belongsTo(l)
	case 2, 3, 4:
		a = f.has(l, true)
	case 5, 6:
		a = f.has(l, false)
	case 7, 8:
		a = f.manyToMany(l)
	default:
		a = f.through(l)
	}
	if a == nil || a.Owner.Association(a.Name) != nil {
		return
	}
	if l.Where%5 < 2 {
		a.Where = f.condition(l.Where / 5)
	}
	a.Owner.Associations = append(a.Owner.Associations, a)
	if a.Kind != model.Through {
		f.direct = append(f.direct, a)
	}
}

// start makes an association with a field; nil if there is no such field.
func (f *forest) start(kind model.Kind, owner, target int, many bool, l drawnLink) *model.Association {
	a, ok := fieldFor(owner, target, many, l.Field)
	if !ok {
		return nil
	}
	a.Kind, a.Owner, a.Target = kind, f.models[owner], f.models[target]
	if kind != model.BelongsTo && l.Order%5 < 2 {
		a.Order = f.order(l.Order / 5)
	}
	return a
}

func (f *forest) belongsTo(l drawnLink) *model.Association {
	r := f.references[l.Via%f.types][l.Flip]
	a := f.start(model.BelongsTo, r.from, r.to, false, l)
	if a != nil {
		a.OwnerColumns = columnsOfModel(a.Owner, r.columns())
		a.TargetColumns = columnsOfModel(a.Target, r.by.columns(""))
	}
	return a
}

func (f *forest) has(l drawnLink, many bool) *model.Association {
	r := f.references[l.Via%f.types][l.Flip]
	kind := model.HasOne
	if many {
		kind = model.HasMany
	}
	a := f.start(kind, r.to, r.from, many, l)
	if a == nil {
		return nil
	}
	a.OwnerColumns = columnsOfModel(a.Owner, r.by.columns(""))
	a.TargetColumns = columnsOfModel(a.Target, r.columns())
	f.settleOne(a, l, r.unique)
	return a
}

// settleOne gives an association to one row an order where there may be more
// than one, or nobody could say which one it is.
func (f *forest) settleOne(a *model.Association, l drawnLink, unique bool) {
	if !a.Many && !unique && a.Order == "" {
		a.Order = f.order(l.Order / 5)
	}
}

func (f *forest) manyToMany(l drawnLink) *model.Association {
	j := f.joins[l.Via%len(f.joins)]
	near, far := l.Flip, 1-l.Flip
	a := f.start(model.ManyToMany, j.ends[near], j.ends[far], true, l)
	if a == nil {
		return nil
	}
	a.OwnerColumns = columnsOfModel(a.Owner, j.by[near].columns(""))
	a.TargetColumns = columnsOfModel(a.Target, j.by[far].columns(""))
	a.Join = &model.Join{
		Schema: "public", Table: j.name,
		OwnerColumns: j.by[near].columns(joinPrefixes[near]), TargetColumns: j.by[far].columns(joinPrefixes[far]),
	}
	return a
}

// through leads over two to four steps.
func (f *forest) through(l drawnLink) *model.Association {
	if len(f.direct) == 0 {
		return nil
	}
	path := []*model.Association{f.direct[l.Via%len(f.direct)]}
	for _, s := range l.Steps[:1+l.Steps[3]%3] {
		at := path[len(path)-1].Target
		next := slices.DeleteFunc(slices.Clone(f.direct), func(a *model.Association) bool { return a.Owner != at })
		if len(next) == 0 {
			break
		}
		path = append(path, next[s%len(next)])
	}
	if len(path) < 2 {
		return nil
	}
	owner, target := slices.Index(f.models[:], path[0].Owner), slices.Index(f.models[:], path[len(path)-1].Target)
	a := f.start(model.Through, owner, target, l.Flip == 0 || l.Field%3 > 0, l)
	if a != nil {
		a.Through = path
		f.settleOne(a, l, false)
	}
	return a
}

// condition is one on the columns of any of the tables. None reads another
// table, whose changes would not be heard of: see docs/design.md.
func (f *forest) condition(pick int) string {
	conditions := []string{
		"num = 1", "num <> 1", "num is null", "num in (0, 2)", "weight > 0", "name < 'b'", "name like 'b%'", "lower(name) = 'b'",
		"num + length(name) > 2", "num = 1 or name = 'a'", "a_ki is null", "not (num > 1)", "t.ki % 2 = 0", `name collate "C" >= 'a'`,
	}
	if f.icu {
		conditions = append(conditions, `name collate "und-x-icu" >= 'b'`, `name collate "und-x-icu" < 'b'`)
	}
	return conditions[pick%len(conditions)]
}

// order is one of the rows of any of the tables. It ends in a unique column, so
// that no two lists are in it.
func (f *forest) order(pick int) string {
	orders := []string{
		"num, ki", "num desc nulls last, ki", "num nulls first, name, ki", `name collate "C" desc, ki`, "length(name), ki desc",
		"ki desc", "lower(name), kt", "weight, ki", "weight desc, num, ki", "weight is null, weight % 2, kt", "num is null desc, name desc, ku",
	}
	if f.icu {
		orders = append(orders, `name collate "und-x-icu", ki`, `name collate "und-x-icu" desc nulls last, ki desc`)
	}
	return orders[pick%len(orders)]
}

// paths makes paths to associations of a type, of one to three steps.
func (f *forest) paths(of int, with [][3]int) []string {
	var out []string
	for _, picks := range with {
		at := f.models[of]
		var path []string
		for i, pick := range picks {
			if len(at.Associations) == 0 || i > 0 && pick%4 == 0 {
				break
			}
			a := at.Associations[pick/4%len(at.Associations)]
			path = append(path, a.Name)
			at = a.Target
		}
		if len(path) > 0 {
			out = append(out, strings.Join(path, "."))
		}
	}
	return out
}

// rooted returns a type that has associations, if there is any.
func (f *forest) rooted(pick int) int {
	for i := range f.types {
		if of := (pick + i) % f.types; len(f.models[of].Associations) > 0 {
			return of
		}
	}
	return pick % f.types
}

// String describes the associations.
func (f *forest) String() string {
	var b strings.Builder
	for _, m := range f.models[:f.types] {
		fmt.Fprintf(&b, "%s, key %v\n", m, columnNames(m.Key))
		for _, a := range m.Associations {
			fmt.Fprintf(&b, "  %s %s %s %v=%v", a, a.Kind, a.Target.Table, columnNames(a.OwnerColumns), columnNames(a.TargetColumns))
			if a.Join != nil {
				fmt.Fprintf(&b, " by %s %v %v", a.Join.Table, a.Join.OwnerColumns, a.Join.TargetColumns)
			}
			if a.Through != nil {
				fmt.Fprintf(&b, " via %v", a.Through)
			}
			fmt.Fprintf(&b, " where %q order %q\n", a.Where, a.Order)
		}
	}
	return b.String()
}

func columnNames(columns []*model.Column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return out
}
