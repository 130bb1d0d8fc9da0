package model_test

import (
	"testing"

	"github.com/rowsync/rowsync/model"
)

// TestTheTagsOfThePackageComment keeps the package comment true.
func TestTheTagsOfThePackageComment(t *testing.T) {
	type Account struct {
		_  struct{} `rowsync:"table=\"0xabcd\".\"User Accounts\""`
		ID int64
	}
	type Membership struct {
		TeamID   int64 `rowsync:"key"`
		PersonID int64 `rowsync:"key"`
	}
	type Tag struct{ ID int64 }
	type Post struct {
		ID, PersonID int64
		Tags         []*Tag `db:"-" rowsync:"many_to_many=posts_tags"`
	}
	type Person struct {
		ID          int64
		Manager     *int64
		StaffNumber int64
		Posts       []*Post   `db:"-"`
		Drafts      []*Post   `db:"-" rowsync:"where=status in ('new','draft'),order=created_at desc, id"`
		Tags        []*Tag    `db:"-" rowsync:"through=Posts.Tags"`
		Fans        []*Person `db:"-" rowsync:"many_to_many=favourite_people,key=child_id,ref=parent_id"`
		Boss        *Person   `db:"-" rowsync:"belongs_to,key=manager,ref=staff_number"`
		Cache       []*Post   `db:"-" rowsync:"-"`
	}
	if m := mustOf[Account](t); m.Schema != "0xabcd" || m.Table != "User Accounts" {
		t.Error(m)
	}
	if m := mustOf[Membership](t); len(m.Key) != 2 {
		t.Error(m.Key)
	}
	person := mustOf[Person](t)
	for name, want := range map[string]model.Kind{
		"Posts": model.HasMany, "Drafts": model.HasMany, "Tags": model.Through, "Fans": model.ManyToMany, "Boss": model.BelongsTo,
	} {
		if a := person.Association(name); a == nil || a.Kind != want {
			t.Errorf("%s is %v, want %s", name, a, want)
		}
	}
	if a := person.Association("Cache"); a != nil {
		t.Errorf("%s is an association", a)
	}
}
